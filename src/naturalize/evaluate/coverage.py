"""What is left to a person, and what risk stays: answers taken from the surest on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def area_under_risk_coverage(
    confidence: Floats, right: NDArray[np.bool_], weights: Floats
) -> Floats:
    """Return the mean risk over all coverages for each row of weights, shape (B,).

    At a coverage only so many of the surest answers are taken; the risk is the share of wrong ones
    among them (Geifman and El-Yaniv 2017). Arguments as for
    :func:`~naturalize.evaluate.calibration.expected_calibration_error`; lower is better.

    >>> sure, right = np.array([0.9, 0.6]), np.array([True, False])
    >>> area_under_risk_coverage(sure, right, np.ones((1, 2))).tolist()
    [0.25]
    """
    taken, wrong, weights = _from_surest(confidence, right, weights)
    risk = np.divide(wrong, taken, out=np.zeros(taken.shape), where=taken > 0)
    return np.asarray((risk * weights).sum(axis=1) / taken[:, -1])


def accuracy_at(
    confidence: Floats, right: NDArray[np.bool_], weights: Floats, coverages: Sequence[float]
) -> Floats:
    """Return the accuracy of the surest share of answers, shape (B, coverages)."""
    taken, wrong, _ = _from_surest(confidence, right, weights)
    total = taken[:, -1:]
    columns = []
    for coverage in coverages:
        last = (taken >= coverage * total - 1e-9).argmax(axis=1)[:, None]
        risk = np.take_along_axis(wrong, last, 1) / np.take_along_axis(taken, last, 1)
        columns.append(1 - risk[:, 0])
    return np.stack(columns, axis=1)


def _from_surest(
    confidence: Floats, right: NDArray[np.bool_], weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return how much weight is taken, and how much of it wrong, from the surest answer on."""
    order = np.argsort(-confidence, kind="stable")
    weights = weights[:, order]
    wrong = np.cumsum(weights * ~right[order], axis=1)
    return np.cumsum(weights, axis=1), wrong, weights
