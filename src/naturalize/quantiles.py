"""Medians and percentiles as NumPy gives them, several times as fast.

NumPy sorts with vector instructions, but looks for single order statistics without them.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=np.floating)


def median(values: NDArray[F]) -> NDArray[F]:
    """Return the median along the last axis of values that are all numbers.

    >>> float(median(np.array([3.0, 1.0, 2.0, 10.0])))
    2.5
    """
    ordered = np.sort(values, axis=-1)
    middle = ordered.shape[-1] // 2
    if ordered.shape[-1] % 2:
        return np.asarray(ordered[..., middle])
    return np.asarray((ordered[..., middle - 1] + ordered[..., middle]) / 2)


def percentiles(values: NDArray[np.floating], *percents: float) -> NDArray[np.float64]:
    """Return percentiles along the last axis, one a row; between two values it goes linearly.

    >>> percentiles(np.array([3.0, 1.0, 2.0]), 0, 25, 100).tolist()
    [1.0, 1.5, 3.0]
    """
    ordered = np.sort(values, axis=-1)
    last = ordered.shape[-1] - 1
    found = []
    for percent in percents:
        place = np.float64(last * (percent / 100))
        below = int(place)
        low, high = ordered[..., below], ordered[..., min(below + 1, last)]
        step, share = high - low, place - below
        found.append(low + step * share if share < 0.5 else high - step * (1 - share))
    return np.array(found, dtype=np.float64)
