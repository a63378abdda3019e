"""Accuracy, precision, recall and F1 from confusion matrices, one or a whole stack at once.

The conventions are scikit-learn's with ``labels=classes, zero_division=0``: a ratio 0/0 counts as
0, and a macro average runs over all ``classes``, so that a class without any sample pulls it down.
Balanced accuracy is the mean recall over the classes that have samples, again as scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from naturalize.errors import InputError

OVERALL = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "balanced_accuracy")
PER_CLASS = ("precision", "recall", "f1")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassScores:
    """Scores of one class; ``support`` is the number of samples that truly belong to it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Scores:
    """Scores of one set of predictions, all between 0 and 1."""

    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    balanced_accuracy: float
    per_class: tuple[ClassScores, ...]


def scores(confusion: NDArray[np.int64], classes: Sequence[str]) -> Scores:
    """Score one confusion matrix of shape (classes, classes), rows truth, columns predicted.

    >>> s = scores(np.array([[3, 1], [0, 0]]), ["BA", "EO"])
    >>> s.accuracy, s.macro_recall, s.balanced_accuracy
    (0.75, 0.375, 0.75)
    """
    expected = (len(classes), len(classes))
    if confusion.shape != expected:
        raise InputError("confusion", f"shape {expected}", confusion.shape)
    support = confusion.sum(axis=1).tolist()
    rows = zip(classes, class_scores(confusion).tolist(), support, strict=True)
    per_class = tuple(
        ClassScores(label=label, support=n, **dict(zip(PER_CLASS, values, strict=True)))
        for label, values, n in rows
    )
    overall = dict(zip(OVERALL, overall_scores(confusion).tolist(), strict=True))
    return Scores(per_class=per_class, **overall)


def class_scores(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn confusion matrices (..., C, C) into precision, recall and F1, shape (..., C, 3).

    The last axis is in the order of ``PER_CLASS``.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    predicted, support = confusion.sum(axis=-2), confusion.sum(axis=-1)
    ratios = (
        _ratio(right, predicted),
        _ratio(right, support),
        _ratio(2 * right, predicted + support),
    )
    return np.stack(ratios, axis=-1)


def overall_scores(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn confusion matrices (..., C, C) into the scores named in ``OVERALL``, shape (..., 5)."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1)
    support = confusion.sum(axis=-1)
    by_class = class_scores(confusion)
    macro = by_class.mean(axis=-2)
    present = (support > 0).sum(axis=-1)
    balanced = _ratio(by_class[..., 1].sum(axis=-1), present)
    accuracy = _ratio(right, support.sum(axis=-1))
    return np.stack([accuracy, *np.moveaxis(macro, -1, 0), balanced], axis=-1)


def _ratio(
    part: NDArray[np.int64] | NDArray[np.float64], whole: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Divide, taking 0/0 as 0."""
    quotient: NDArray[np.float64] = np.zeros(whole.shape)
    return np.divide(part, whole, out=quotient, where=whole > 0)
