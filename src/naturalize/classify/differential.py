"""The differential count as a laboratory reports it, with the errors of counting and of reading.

A reader confuses classes, and its validation images are of no patient's mix. So the shares of the
classes are those under which the labels given are likeliest, the reader confusing classes as it did
on validation images (maximum likelihood by expectation-maximisation). Intervals draw anew both the
cells and the validation images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.evaluate.bootstrap import Interval, intervals

NOT_LEUKOCYTES = ("ERB", "PLT")
GROUPS: dict[str, tuple[str, ...]] = {"IG": ("MY", "MMY", "PMY")}
"""Sums a laboratory reports besides single classes: immature granulocytes."""
NRBC = "ERB"
FEWEST = 100
"""Leukocytes that a differential needs."""
_RESAMPLES = 500
_ROUNDS = 100
_COUNTS_PRIOR, _ROWS_PRIOR, _DIAGONAL_PRIOR = 0.5, 0.05, 0.5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Differential:
    """``percent`` of leukocytes by class and group, ``counted`` as read and corrected;
    ``nrbc`` erythroblasts per 100 leukocytes, corrected; None without a leukocyte.

    ``leukocytes`` is the number of cells read as such; cells cut by the border are in none.
    """

    leukocytes: int
    counted: Mapping[str, float]
    percent: Mapping[str, Interval]
    nrbc: Interval | None

    @property
    def few(self) -> bool:
        """Whether there are too few cells to report a differential."""
        return self.leukocytes < FEWEST


def differential(
    counts: Mapping[str, int],
    classes: Sequence[str],
    confusion: Sequence[Sequence[int]],
    *,
    rng: np.random.Generator,
) -> Differential:
    """Turn ``counts`` of cells by the class they were read as into a differential.

    ``confusion`` counts validation images by true (rows) and given class, in the order of
    ``classes``. Shares are corrected over all classes, then told of leukocytes alone.

    >>> rng = np.random.default_rng(0)
    >>> found = differential({"SNE": 6, "LY": 4}, ("LY", "SNE"), [[50, 0], [0, 50]], rng=rng)
    >>> found.counted["SNE"], round(found.percent["SNE"].value)
    (60.0, 60)
    """
    seen = np.array([counts.get(name, 0) for name in classes], np.float64)
    white = [place for place, name in enumerate(classes) if name not in NOT_LEUKOCYTES]
    leukocytes = int(seen[white].sum())
    if not leukocytes:
        return Differential(0, {}, {}, None)
    names, sums = _sums([classes[place] for place in white])
    observed, known = seen / seen.sum(), np.asarray(confusion, np.float64)
    value = corrected(observed[None], _rows(known)[None])
    drawn = corrected(_drawn(seen, _COUNTS_PRIOR, rng), _drawn(known, _ROWS_PRIOR, rng))
    erythroblast = [place for place, name in enumerate(classes) if name == NRBC]

    def reported(shares: Floats) -> Floats:
        whole = np.maximum(shares[:, white].sum(axis=1, keepdims=True), 1e-9)
        nucleated = shares[:, erythroblast].sum(axis=1, keepdims=True)
        figures = np.concatenate([shares[:, white] @ sums, nucleated], axis=1)
        return np.asarray(100 * figures / whole)

    found = [_holding(one) for one in intervals(reported(value)[0], reported(drawn), level=0.95)]
    raw = 100 * (seen[white] @ sums) / leukocytes
    counted = dict(zip(names, raw.tolist(), strict=True))
    return Differential(leukocytes, counted, dict(zip(names, found, strict=False)), found[-1])


def corrected(observed: Floats, rows: Floats) -> Floats:
    """Return the shares (B, C) of true classes under which given shares ``observed`` are likeliest.

    ``rows`` (B, C, C): of a true class, which share is given each class.

    >>> corrected(np.array([[0.6, 0.4]]), np.array([[[0.9, 0.1], [0.2, 0.8]]])).round(3).tolist()
    [[0.571, 0.429]]
    """
    shares = np.full(observed.shape, 1 / observed.shape[1])
    for _ in range(_ROUNDS):
        given = np.maximum(np.einsum("bi,bij->bj", shares, rows), 1e-12)
        shares = shares * np.einsum("bij,bj->bi", rows, observed / given)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _rows(confusion: Floats) -> Floats:
    """Return each row's shares; what was never seen keeps a little of the diagonal."""
    counts = confusion + _DIAGONAL_PRIOR * np.eye(len(confusion))
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _drawn(counts: Floats, prior: float, rng: np.random.Generator) -> Floats:
    """Draw shares along the last axis of ``counts`` that would explain them, (resamples, ...).

    The Bayesian bootstrap (Rubin 1981) with a little of every class (Jeffreys 1946 has 0.5): that a
    class is not among ten cells does not prove that there are none.
    """
    shares = rng.standard_gamma(np.broadcast_to(counts + prior, (_RESAMPLES, *counts.shape)))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _holding(one: Interval) -> Interval:
    """Widen an interval to its own value, which lies outside where a few cells meet the prior."""
    return Interval(one.value, min(one.low, one.value), max(one.high, one.value))


def _sums(names: Sequence[str]) -> tuple[list[str], Floats]:
    """Return what is reported and which classes each figure adds up, (classes, figures)."""
    groups = {name: members for name, members in GROUPS.items() if set(members) <= set(names)}
    whole = {**{name: (name,) for name in names}, **groups}
    sums = [[float(name in members) for members in whole.values()] for name in names]
    return list(whole), np.array(sums)
