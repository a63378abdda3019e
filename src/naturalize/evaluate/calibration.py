"""Do probabilities mean what they say? Expected calibration error and the reliability diagram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

BINS = 15
Floats = NDArray[np.float64]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ReliabilityBin:
    """Answers of like confidence: their number, mean confidence, and the share that was right."""

    count: int
    confidence: float
    accuracy: float


def expected_calibration_error(
    confidence: Floats, right: NDArray[np.bool_], weights: Floats
) -> Floats:
    """Return the expected calibration error (Guo et al. 2017) for each row of weights, shape (B,).

    ``confidence`` (N,) is the probability of the answer given, ``right`` (N,) whether it was right,
    ``weights`` (B, N) how often each sample counts. Answers are put into :data:`BINS` bins of equal
    width; the error is the mean gap between confidence and accuracy, bins by their weight.

    >>> sure, right = np.array([0.9, 0.9]), np.array([True, False])
    >>> expected_calibration_error(sure, right, np.ones((1, 2))).round(3).tolist()
    [0.4]
    """
    inside = _bins(confidence)[:, None] == np.arange(BINS)
    gap = inside * (right - confidence)[:, None]
    return np.asarray(np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1))


def reliability(confidence: Floats, right: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """Return the bins that hold answers, in order of confidence."""
    where = _bins(confidence)
    members = [np.flatnonzero(where == number) for number in range(BINS)]
    return tuple(
        ReliabilityBin(len(own), float(confidence[own].mean()), float(right[own].mean()))
        for own in members
        if len(own)
    )


def _bins(confidence: Floats) -> NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
