"""An object by direction: how far it reaches, and where a neighbour touches it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import FULL, Cutout

DIRECTIONS = 72
_SHALLOW_PX = 4
_NEIGHBOUR = 2
"""Where more than one in so many pixels beside an object is no rim of its own, it is touched."""


def silhouette(cutout: Cutout) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (reach, touched) of one object, each (72,); directions without a pixel are filled in.

    They go round from left over top to right and bottom.
    """
    own = cutout.mask.astype(np.uint8)
    beside = (cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0) & (own == 0)
    rows, columns = np.nonzero(beside)
    box = cutout.own_box
    down = rows + cutout.box.top + 0.5 - (box.top + box.height / 2)
    right = columns + cutout.box.left + 0.5 - (box.left + box.width / 2)
    turn = (np.arctan2(down, right) + np.pi) / (2 * np.pi)
    direction = (turn * DIRECTIONS).astype(np.intp) % DIRECTIONS
    reach = np.zeros(DIRECTIONS)
    np.maximum.at(reach, direction, np.hypot(down, right))
    seen = np.bincount(direction, minlength=DIRECTIONS)
    foreign = cutout.weight[rows, columns] <= FULL // 2
    touching = np.bincount(direction[foreign], minlength=DIRECTIONS)
    known = np.flatnonzero(seen)
    filled = np.interp(np.arange(DIRECTIONS), known, reach[known], period=DIRECTIONS)
    return filled, np.asarray(_NEIGHBOUR * touching > seen)


def misfit(
    reach: NDArray[np.float64],
    touched: NDArray[np.bool_],
    reaches: NDArray[np.float64],
    all_touched: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return what would show if one object took the place of each of n others, float64 (n,).

    ``reach`` and ``touched`` (72,) are its :func:`silhouette`, ``reaches`` and ``all_touched``
    (n, 72) theirs. Counted in directions: those where a neighbour's hidden edge comes to light, and
    those where its own cut edge meets no neighbour; depth of overlap with neighbours counts less,
    and two pixels of difference in size count as one direction.

    >>> round_cell, alone = np.full(72, 40.0), np.zeros(72, bool)
    >>> misfit(round_cell, alone, np.array([round_cell, round_cell + 6]), np.array([alone, alone]))
    array([0., 3.])
    """
    further = reach - reaches
    met = all_touched & (reach >= reaches - 1)
    shown = np.count_nonzero(all_touched & ~met, axis=1)
    own = np.flatnonzero(touched)
    beside = met[:, own] | met[:, own - 1] | met[:, (own + 1) % DIRECTIONS]
    loose = own.size - np.count_nonzero(beside, axis=1)
    other_size = np.abs(further).mean(axis=1)
    deep = np.maximum(further - _SHALLOW_PX, 0)
    deep *= all_touched
    return np.asarray(shown + loose + deep.sum(axis=1) / 8 + other_size / 2)
