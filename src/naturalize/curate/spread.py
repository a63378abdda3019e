"""How far a figure lies from what is usual in its acquisition source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_IMAGES = 20
_MAD_TO_SIGMA = 1.4826


def robust_z(
    values: NDArray[np.float64], sources: NDArray[np.intp], *, least_spread: float
) -> NDArray[np.float64]:
    """Return (value - median) / spread within each source; 0 where a source has too few images.

    The spread is the median absolute deviation scaled to a normal distribution's standard
    deviation (Rousseeuw and Croux 1993), but at least ``least_spread``.

    >>> values = np.array([1.0] * 20 + [3.0])
    >>> float(robust_z(values, np.zeros(21, np.intp), least_spread=0.5)[-1])
    4.0
    """
    scores = np.zeros(len(values))
    for source in np.unique(sources):
        inside = sources == source
        if inside.sum() < MIN_IMAGES:
            continue
        usual = np.median(values[inside])
        spread = _MAD_TO_SIGMA * np.median(np.abs(values[inside] - usual))
        scores[inside] = (values[inside] - usual) / max(float(spread), least_spread)
    return scores
