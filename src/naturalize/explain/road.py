"""ROAD: remove pixels so that no hole shows, then ask again (Rong et al. 2022, arXiv:2202.00449).

A removed pixel becomes the weighted mean of its eight neighbours, removed ones included, plus a
little noise ("noisy linear imputation"): one sparse system of equations for each image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from naturalize.explain.faithfulness import Ask, hottest_first
from naturalize.images import Rgb

SHARES = (0.2, 0.4, 0.6, 0.8)
NOISE_LEVELS = 2.55
"""Spread of the noise in grey levels: the paper's .01 of the range."""
_NEIGHBOURS = {
    (row, column): 1 / 12 if row and column else 1 / 6
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if (row, column) != (0, 0)
}


def road(ask: Ask, square: Rgb, heat: NDArray[np.float32], *, rng: np.random.Generator) -> float:
    """Return how much more the class loses with the hottest pixels than with the coldest.

    The mean difference of its probability when 20, 40, 60 and 80 % are removed: 1 at best, 0 where
    the picture tells no more than chance, below 0 where it misleads.
    """
    rank = hottest_first(heat)
    cold = [imputed(square, rank >= heat.size * (1 - share), rng=rng) for share in SHARES]
    hot = [imputed(square, rank < heat.size * share, rng=rng) for share in SHARES]
    answers = ask([*cold, *hot]).reshape(2, -1).mean(axis=1)
    return float(answers[0] - answers[1])


def imputed(
    square: Rgb,
    removed: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    noise: float = NOISE_LEVELS,
) -> Rgb:
    """Return ``square`` with its ``removed`` pixels (S, S) filled in from what is around them.

    At least one pixel has to stay.
    """
    number = np.full(removed.shape, -1)
    number[removed] = np.arange(np.count_nonzero(removed))
    system, known = _equations(square, number)
    filled = splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(known)
    result = square.astype(np.float64)
    result[removed] = filled + rng.normal(0, noise, filled.shape)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _equations(
    square: Rgb, number: NDArray[np.int64]
) -> tuple[sparse.csc_array, NDArray[np.float64]]:
    """Return the system (n, n) and its right side (n, 3); ``number`` is -1 on known pixels."""
    rows, columns = np.nonzero(number >= 0)
    height, width = number.shape
    total, known = np.zeros(rows.size), np.zeros((rows.size, 3))
    entries: list[tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]]] = []
    for (down, right), weight in _NEIGHBOURS.items():
        r, c = rows + down, columns + right
        inside = np.flatnonzero((r >= 0) & (r < height) & (c >= 0) & (c < width))
        beside = number[r[inside], c[inside]]
        total[inside] += weight
        open_, given = inside[beside >= 0], inside[beside < 0]
        known[given] += weight * square[r[given], c[given]]
        entries.append((open_, beside[beside >= 0], np.full(open_.size, -weight)))
    diagonal = np.arange(rows.size)
    entries.append((diagonal, diagonal, total))
    i, j, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    return sparse.csc_array((values, (i, j)), shape=(rows.size,) * 2), known
