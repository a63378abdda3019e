"""Cytoplasm told apart from red cells by its colour, learnt from the image at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median, percentiles
from naturalize.segment.regions import cut_by_border, label_regions, solidity
from naturalize.segment.stain import Stain

UNDECIDED = 0.3
"""Likeness of a colour that cytoplasm and red cells share."""
_HAEMOGLOBIN_PURPLE = 0.12
_OWN_SHARE = 0.12
_OUTSIDE = 12.0
_LONE = 9.0
_SOME = 0.05
_STEP = 2
_LARGE_PX = 40.0
_LONE_SOLIDITY = 0.85


@dataclass(frozen=True, eq=False)
class Likeness:
    """A linear discriminant of optical densities: cytoplasm above :data:`UNDECIDED`."""

    weights: NDArray[np.float32]
    offset: float

    def of(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return from -0.4 (red cell) to 1 (cytoplasm) for densities (..., 3), float32 (...)."""
        likelihood = density @ self.weights + np.float32(self.offset)
        return np.asarray(UNDECIDED + 0.7 * np.tanh(likelihood), dtype=np.float32)


def learn_likeness(
    stain: Stain,
    distance: NDArray[np.float32],
    other_nuclei: NDArray[np.bool_],
    diameter_px: float,
) -> Likeness:
    """Learn from one image how the cytoplasm around one nucleus and red cells differ.

    What lies right beside the nucleus teaches cytoplasm, what lies far from it red cells; where
    the two look alike, as in erythroblasts, the answer stays undecided. ``distance`` is that to
    the nucleus in pixels, ``diameter_px`` that of a red cell; ``other_nuclei`` marks pixels that
    belong to other cells.
    """
    sparse = np.s_[::_STEP, ::_STEP] if diameter_px > _LARGE_PX else np.s_[:, :]
    stain, distance = stain.window(sparse), distance[sparse]
    usable = stain.foreground & ~other_nuclei[sparse]
    haemoglobin = stain.purple < _HAEMOGLOBIN_PURPLE * stain.density[..., 1]
    near = usable & (distance > 0.06 * diameter_px) & (distance < 0.22 * diameter_px)
    far = usable & (distance > 0.5 * diameter_px) & haemoglobin
    far = _red_cells(far, stain.foreground, distance == 0)
    if np.count_nonzero(near) < 20 or np.count_nonzero(far) < 50:
        return Likeness(np.zeros(3, dtype=np.float32), 0.4)
    one, other = _some(stain.density, near), _some(stain.density, far)
    own = ~_some(haemoglobin, near) | _unlike(one, other)
    if own.mean() > _OWN_SHARE:
        one = one[own]
    mean_one, mean_other = median(one.T), median(other.T)
    floor = (0.1 * stain.red_cell_density) ** 2 * np.eye(3)
    pooled = (_scatter(one, mean_one) + _scatter(other, mean_other)) / 2 + floor
    weights = np.linalg.solve(pooled, mean_one - mean_other)
    offset = -float((mean_one + mean_other) @ weights) / 2
    return Likeness(weights.astype(np.float32), offset)


def _red_cells(
    far: NDArray[np.bool_], foreground: NDArray[np.bool_], nucleus: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which of the pixels ``far`` from a nucleus surely show red cells.

    Those not connected with it, if there are any; where the cell lies alone there are none.
    """
    labels, stats = label_regions(foreground)
    own = int(np.bincount(labels[nucleus]).argmax())
    apart: NDArray[np.bool_] = far & (labels != own)
    nuclear_area = np.count_nonzero(nucleus)
    if np.count_nonzero(apart) > _SOME * nuclear_area:
        return apart
    lone = stats[own, cv2.CC_STAT_AREA] < _LONE * nuclear_area
    lone &= not cut_by_border(stats, far.shape)[own]
    return apart if lone and solidity(labels == own) > _LONE_SOLIDITY else far


def _some(values: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the values of at most about 1,000 pixels."""
    places = np.flatnonzero(where)
    rows, columns = np.unravel_index(places[:: 1 + places.size // 1000], where.shape)
    return values[rows, columns]


def _unlike(density: NDArray[np.float32], red_cells: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether densities (n, 3) lie outside those of red cells, as an eosinophil's granules do."""
    mean = median(red_cells.T)
    off = (density - mean).astype(np.float64)
    spread = np.linalg.inv(_scatter(red_cells, mean) + 1e-6 * np.eye(3))
    return np.asarray(((off @ spread) * off).sum(axis=1) > _OUTSIDE)


def _scatter(values: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the covariance of (n, 3) values about ``mean``, the farthest tenth left out."""
    off = (values - mean).astype(np.float64)
    length = (off**2).sum(axis=1)
    off = off[length <= percentiles(length, 90)[0]]
    return np.asarray(off.T @ off / max(len(off), 1))
