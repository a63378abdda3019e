"""How well a network does on real validation images while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

Probabilities = Callable[[nn.Module], NDArray[np.float32]]


@dataclass(frozen=True)
class Validated:
    """What a network scored on the validation images after ``step`` steps."""

    step: int
    loss: float
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, eq=False)
class Validation:
    """Validation images: a way to predict them, and their class indices, int64 (N,).

    It draws nothing and changes nothing, so a training goes the same way with and without it.
    """

    probabilities: Probabilities
    labels: NDArray[np.int64]
    n_classes: int

    def __call__(self, model: nn.Module, step: int) -> Validated:
        """Score ``model`` as it is after ``step`` steps."""
        found = self.probabilities(model)
        right = np.clip(found[np.arange(len(self.labels)), self.labels], 1e-12, 1.0)
        answers = found.argmax(axis=1)
        f1 = macro_f1(self.labels, answers, self.n_classes)
        accuracy = float((answers == self.labels).mean())
        return Validated(step, float(-np.log(right).mean()), accuracy, f1)


def macro_f1(truth: NDArray[np.int64], answers: NDArray[np.int64], n_classes: int) -> float:
    """Return the mean of the F1 of all classes; a class neither shown nor answered counts 0.

    >>> round(macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 2), 3)
    0.667
    """
    right = np.bincount(truth[truth == answers], minlength=n_classes)
    both = np.bincount(truth, minlength=n_classes) + np.bincount(answers, minlength=n_classes)
    return float((2 * right / np.maximum(both, 1)).mean())
