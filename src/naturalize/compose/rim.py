"""The rim of a cutout as a lens draws it: its halo kept, no edge sharper than optics allow.

Around a cell lies a halo, coloured by the lens, as wide as the rim: one that fades evenly loses
most of it. Where a cell touched another its rim was left out: pasted as it is, it ends from one
pixel to the next, which no microscope shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import FULL

REACH_PX = 2
_GAIN = 1.6 / 256
"""Brings the first pixel outside a straight edge to half the object's weight; a whole one spread
twice is 256."""
_SPREAD = np.array([1, 2, 1], np.float32)
_SQUARE = np.ones((3, 3), np.uint8)
_MISSING = FULL - 1 - np.arange(FULL)
_FIRM = np.array([*(FULL - 1 - _MISSING * _MISSING // (FULL - 1)), FULL], np.uint8)
"""Weight of a pixel of a firm rim by its weight of old."""


def keep_halo(weight: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the weight (h, w) of an object with a rim that stays firm and fades late.

    >>> keep_halo(np.array([[255, 203, 102, 0]], np.uint8)).tolist()
    [[255, 244, 164, 0]]
    """
    return np.asarray(cv2.LUT(weight, _FIRM), dtype=np.uint8)


def soften_cuts(
    light: NDArray[np.float32], weight: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return light (h, w, 3) and weight (h, w) of an object whose cut edges fade over two pixels.

    There the object's own light is carried on outwards, so nothing of the neighbour comes along.
    Its own pixels and its undisturbed rim stay as they are.
    """
    own = (weight == FULL).view(np.uint8)
    cut = cv2.dilate(own, _SQUARE) * (weight < FULL // 2)
    left, top, width, height = cv2.boundingRect(cut)
    if not width:
        return light, weight
    reach = 2 * REACH_PX
    zone = np.s_[
        max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach
    ]
    near = own[zone].astype(np.float32)
    wide = near
    for _ in range(REACH_PX):
        wide = cv2.sepFilter2D(wide, -1, _SPREAD, _SPREAD, borderType=cv2.BORDER_CONSTANT)
    fade = np.rint(np.minimum(_GAIN * wide, 1) * (FULL - 1)).astype(np.uint8)
    beside = cv2.dilate(cut[zone], _SQUARE, iterations=REACH_PX) > 0
    softened = beside & (fade > weight[zone])
    rows, columns = np.nonzero(softened)
    carried = _spread(_spread(near[..., None] * light[zone]))
    changed, faded = np.copy(light), np.copy(weight)
    changed[zone][rows, columns] = carried[rows, columns] / wide[rows, columns, None]
    faded[zone][rows, columns] = fade[rows, columns]
    return changed, faded


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return light (h, w, 3) spread to the eight neighbours, weights 1, 2, 1 along both axes.

    The sum is 16 times what it was. OpenCV, which does so with the whole numbers of a mask, may add
    fractions in another order.
    """
    for low, high in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        total = 2 * values
        total[high] += values[low]
        total[low] += values[high]
        values = total
    return values
