"""Agreement along an ordered line of classes, where a near miss weighs less than a far one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def line_positions(classes: Sequence[str], line: Sequence[str]) -> NDArray[np.int64]:
    """Return where those of ``line`` that are among ``classes`` stand there, in the line's order.

    >>> line_positions(["BNE", "LY", "SNE"], ["MMY", "BNE", "SNE"]).tolist()
    [0, 2]
    """
    return np.array([classes.index(stage) for stage in line if stage in classes], np.int64)


def quadratic_kappa(
    confusion: NDArray[np.int64], classes: Sequence[str], line: Sequence[str]
) -> NDArray[np.float64]:
    """Return Cohen's kappa with quadratic weights (Cohen 1968) along ``line``, shape (...).

    ``confusion`` is (..., C, C), rows truth, columns predicted, in the order of ``classes``. Only
    samples whose label and answer both stand on the line count: an answer off the line is no
    distance along it, and shows in F1. 1 is full agreement, 0 that of chance, and 0 also stands
    where nothing can disagree.

    >>> quadratic_kappa(np.array([[2, 0], [0, 3]]), ["BNE", "SNE"], ["BNE", "SNE"]).tolist()
    1.0
    """
    places = line_positions(classes, line)
    seen = confusion[..., places[:, None], places].astype(np.float64)
    apart = np.square(np.arange(len(places))[:, None] - np.arange(len(places)))
    by_row, by_column = seen.sum(axis=-1), seen.sum(axis=-2)
    observed = (apart * seen).sum(axis=(-2, -1)) * by_row.sum(axis=-1)
    expected = (apart * by_row[..., :, None] * by_column[..., None, :]).sum(axis=(-2, -1))
    agreement: NDArray[np.float64] = np.zeros(expected.shape)
    np.divide(expected - observed, expected, out=agreement, where=expected > 0)
    return agreement
