"""Sets of classes that hold the true one as often as promised.

Split conformal prediction with the score 1 - p(class) (Sadinle, Lei and Wasserman 2019). A class
with enough calibration images has a threshold of its own (Mondrian: the promise holds within the
class); the others share that of all images. The promise is about images drawn like those of the
calibration: it says nothing of another scanner, stain or laboratory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """How far a class's probability may lie below 1 for it to be in the set, for each class."""

    values: tuple[float, ...]
    class_wise: tuple[bool, ...]


def fit_thresholds(
    probabilities: Probabilities, truth: NDArray[np.intp], *, coverage: float
) -> Thresholds:
    """Return the thresholds that promise ``coverage``, from calibration images used for them alone.

    ``probabilities`` (N, C) belong to images whose class has the place ``truth`` (N,). A class has
    its own where it has at least 1 / (1 - ``coverage``) images.

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    >>> fit_thresholds(p, np.array([0, 0, 0, 1]), coverage=0.5).class_wise
    (True, False)
    """
    if not 0 < coverage < 1:
        raise InputError("coverage", "a number between 0 and 1", coverage)
    scores = 1 - probabilities[np.arange(len(truth)), truth]
    shared = _threshold(scores, coverage)
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    own = counts * (1 - coverage) >= 1 - 1e-9
    values = [
        _threshold(scores[truth == place], coverage) if has else shared
        for place, has in enumerate(own)
    ]
    return Thresholds(tuple(values), tuple(bool(has) for has in own))


def prediction_sets(
    probabilities: Probabilities, thresholds: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Return which classes are in the set of each row, bool (N, C); the most probable always is.

    >>> prediction_sets(np.array([[0.6, 0.4]]), (0.5, 0.7)).tolist()
    [[True, True]]
    """
    inside = 1 - probabilities <= np.asarray(thresholds)
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    return np.asarray(inside)


def _threshold(scores: Probabilities, coverage: float) -> float:
    """Return the score that a further image stays below with at least ``coverage``; 1 with few."""
    rank = int(np.ceil((len(scores) + 1) * coverage))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else 1.0
