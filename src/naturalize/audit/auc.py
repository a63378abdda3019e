"""The area under the ROC curve, with an interval over images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from naturalize.evaluate.bootstrap import Interval, intervals

RESAMPLES = 1000
LEVEL = 0.95


def auc(
    real: NDArray[np.float64], made: NDArray[np.float64], *, rng: np.random.Generator
) -> Interval:
    """Return how often a made image scores above a real one; .5 is chance, 1 always.

    The interval comes from resampling the real and the made images, each for themselves.

    >>> auc(np.array([0.0, 1.0]), np.array([2.0, 3.0]), rng=np.random.default_rng(0)).value
    1.0
    """
    value = _areas(real[None], made[None])
    draws = _areas(_resampled(real, rng), _resampled(made, rng))
    (found,) = intervals(value, draws[:, None], level=LEVEL)
    return found


def _resampled(scores: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    return scores[rng.integers(scores.size, size=(RESAMPLES, scores.size))]


def _areas(real: NDArray[np.float64], made: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area for each row of scores (rows, images), from the rank sum."""
    ranks = rankdata(np.concatenate([real, made], axis=1), axis=1)
    n = made.shape[1]
    above = ranks[:, real.shape[1] :].sum(axis=1) - n * (n + 1) / 2
    return np.asarray(above / (n * real.shape[1]), dtype=np.float64)
