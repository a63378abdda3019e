"""How well probabilities rank: the area under the ROC curve, each class against all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auroc_one_vs_rest(probabilities: Floats, truth: NDArray[np.int64], weights: Floats) -> Floats:
    """Return the area of each class for each row of weights, shape (B, C).

    ``probabilities`` is (N, C), ``truth`` (N,) class indices, ``weights`` (B, N) how often each
    sample counts. The area is the chance that a sample of the class is given a higher probability
    of it than one of another class, equal ones counting half. .5 stands where the weights leave a
    class, or all others, empty.

    >>> p = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    >>> auroc_one_vs_rest(p, np.array([0, 1, 1]), np.ones((1, 3))).tolist()
    [[1.0, 1.0]]
    """
    columns = [
        _area(probabilities[:, label], truth == label, weights)
        for label in range(probabilities.shape[1])
    ]
    return np.stack(columns, axis=1)


def _area(scores: Floats, inside: NDArray[np.bool_], weights: Floats) -> Floats:
    order = np.argsort(scores, kind="stable")
    scores, inside, weights = scores[order], inside[order], weights[:, order]
    others = np.cumsum(np.where(inside, 0.0, weights), axis=1)
    others = np.concatenate([np.zeros((len(weights), 1)), others], axis=1)
    below = np.searchsorted(scores, scores[inside], side="left")
    up_to = np.searchsorted(scores, scores[inside], side="right")
    own = weights[:, inside]
    won = (own * (others[:, below] + others[:, up_to])).sum(axis=1) / 2
    pairs = own.sum(axis=1) * others[:, -1]
    area = np.full(len(weights), 0.5)
    np.divide(won, pairs, out=area, where=pairs > 0)
    return area
