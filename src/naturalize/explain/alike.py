"""Maps that are nearly the same, put together so that one mask speaks for all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 5

Maps = NDArray[np.float32]


def distinct(maps: Maps) -> tuple[Maps, NDArray[np.intp]]:
    """Return the different rows of ``maps`` (C, P), and which of them each row is, (C,).

    >>> distinct(np.float32([[0, 1], [0, 0], [0, 1]]))[1].tolist()
    [1, 0, 1]
    """
    rows, which = np.unique(maps, axis=0, return_inverse=True)
    return rows, which.reshape(-1)


def clusters(maps: Maps, count: int) -> tuple[Maps, NDArray[np.intp]]:
    """Return the means of at most ``count`` groups of near-identical rows, and the group of each.

    Groups begin at rows as far from one another as can be (Gonzalez 1985, from the one furthest
    from the mean), then every row joins the nearest mean, five times (Lloyd 1982). Nothing is drawn
    at random. No more rows than ``count``: :func:`distinct`.
    """
    rows, which = distinct(maps)
    if len(rows) <= count:
        return rows, which
    means = rows[_far_apart(rows, count)]
    for _ in range(_ROUNDS):
        nearest = _squared_distances(rows, means).argmin(axis=1)
        for group in np.unique(nearest):
            means[group] = rows[nearest == group].mean(axis=0)
    return means, _squared_distances(rows, means).argmin(axis=1)[which]


def _far_apart(rows: Maps, count: int) -> list[int]:
    """Return ``count`` rows, each the furthest from those before it."""
    chosen = [int(((rows - rows.mean(axis=0)) ** 2).sum(axis=1).argmax())]
    away = np.full(len(rows), np.inf)
    while len(chosen) < count:
        away = np.minimum(away, ((rows - rows[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(away.argmax()))
    return chosen


def _squared_distances(rows: Maps, means: Maps) -> NDArray[np.float32]:
    """Return (rows, means), up to a term that is the same for all means."""
    return np.asarray((means**2).sum(axis=1) - 2 * rows @ means.T, dtype=np.float32)
