"""Registration: how well two images agree where they overlap, and at which shift best."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.uint8]
_FINE_PX, _COARSE_PX = 1.0, 3.0


@dataclass(frozen=True)
class Shift:
    """Where the second image lies on the first.

    Pixel (row, column) of the first is pixel (row + ``rows``, column + ``columns``) of the second.
    ``correlation`` is the normalised cross-correlation over the whole overlap, ``overlap`` its
    share of the smaller image.
    """

    rows: int
    columns: int
    correlation: float
    overlap: float


def register(
    one: NDArray[np.generic], other: NDArray[np.generic], rows: int, columns: int
) -> Shift:
    """Return how well the two agree at this shift; correlation 0 where nothing can be said.

    >>> dot = np.eye(6, dtype=np.uint8)
    >>> register(dot, dot[2:, 1:], -2, -1)
    Shift(rows=-2, columns=-1, correlation=1.0, overlap=1.0)
    """
    top, left = max(0, -rows), max(0, -columns)
    bottom = min(one.shape[0], other.shape[0] - rows)
    right = min(one.shape[1], other.shape[1] - columns)
    if bottom - top < 2 or right - left < 2:
        return Shift(rows, columns, 0.0, 0.0)
    a = one[top:bottom, left:right].astype(np.float32)
    b = other[top + rows : bottom + rows, left + columns : right + columns].astype(np.float32)
    overlap = a.size / min(one.size, other.size)
    return Shift(rows, columns, _correlation(a.ravel(), b.ravel()), overlap)


def refine(one: Grey, other: Grey, rows: int, columns: int, *, step_px: int) -> Shift:
    """Climb from a rough shift to the best one nearby, in steps that are halved down to 1 px."""
    best = register(one, other, rows, columns)
    while step_px:
        around = (at for at in product((-step_px, 0, step_px), repeat=2) if any(at))
        tried = [register(one, other, best.rows + r, best.columns + c) for r, c in around]
        better = max(tried, key=lambda shift: shift.correlation)
        if better.correlation > best.correlation:
            best = better
        else:
            step_px //= 2
    return best


def detail(grey: Grey) -> NDArray[np.float32]:
    """Return edges and texture alone: what is left between two Gaussian blurs.

    Two dark nuclei laid over each other correlate well whatever they are; their detail does not.
    """
    exact = grey.astype(np.float32)
    fine = ndimage.gaussian_filter(exact, _FINE_PX)
    return np.asarray(fine - ndimage.gaussian_filter(exact, _COARSE_PX), dtype=np.float32)


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    energy = float(np.dot(a, a)) * float(np.dot(b, b))
    return float(np.dot(a, b)) / energy**0.5 if energy > 0 else 0.0
