"""Cutouts keep their place in the 8 x 8 blocks of the JPEG they come from.

A JPEG encoded again on another grid shows two: the new one, and inside each cutout the old.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box

BLOCK_PX = 8
Where = TypeVar("Where", int, NDArray[np.int64])
"""One place along an axis, in px, or many."""


def grid_phase(box: Box, turns: int, flip: bool) -> tuple[int, int]:
    """Return what (top, left) of a cutout of ``box`` must be modulo 8, oriented as told.

    >>> grid_phase(Box(3, 5, 10, 20), 0, False), grid_phase(Box(3, 5, 10, 20), 0, True)
    ((3, 5), (3, 7))
    """
    up, down = box.top, -box.bottom
    leftward, rightward = box.left, -box.right
    rows = (up, rightward, down, leftward)[turns]
    columns = (leftward, up, rightward, down)[turns]
    if flip:
        columns = (rightward, down, leftward, up)[turns]
    return rows % BLOCK_PX, columns % BLOCK_PX


def on_grid(box: Box, turns: int, flip: bool, top: Where, left: Where) -> tuple[Where, Where]:
    """Return the place up to 4 px from (top, left) where a cutout's blocks meet the composite's.

    ``box`` is the cutout's on its donor, ``turns`` and ``flip`` how it is oriented.

    >>> on_grid(Box(3, 5, 10, 20), 0, False, 17, 16)
    (19, 13)
    """
    rows, columns = grid_phase(box, turns, flip)
    return snapped(top, rows), snapped(left, columns)


def snapped(position: Where, phase: int) -> Where:
    """Return the whole number nearest to ``position`` that is ``phase`` modulo 8.

    >>> snapped(17, 2), snapped(-3, 7)
    (18, -1)
    """
    return position + (phase - position + BLOCK_PX // 2) % BLOCK_PX - BLOCK_PX // 2
