"""From logits to probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def odds(logits: NDArray[np.float32] | Floats, temperature: float) -> Floats:
    """Return probabilities (N, classes): the softmax of ``logits / temperature``.

    >>> odds(np.array([[0.0, 0.0]]), 2.0).tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    power = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(power / power.sum(axis=1, keepdims=True))


def margins(probabilities: Floats) -> Floats:
    """Return how far the most probable class lies above the second, (N,).

    >>> margins(np.array([[0.7, 0.2, 0.1]])).round(2).tolist()
    [0.5]
    """
    first = np.sort(probabilities, axis=1)
    return np.asarray(first[:, -1] - first[:, -2])
