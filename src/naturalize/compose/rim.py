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
_GAIN = 1.6
"""Brings the first pixel outside a straight edge to half the object's weight."""
_SQUARE = np.ones((3, 3), np.uint8)
_BINOMIAL = np.array([1, 2, 1], np.float32)
_SPREAD = np.arange(257, dtype=np.float32) / 256
_FADE = np.rint(np.minimum(_GAIN * _SPREAD, 1) * (FULL - 1)).astype(np.uint8)
"""Weight of a pixel by 256 times the share of its surroundings that are the object's own."""
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
    fade = _faded(weight)
    rows, columns = (np.flatnonzero((fade > weight).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return light, weight
    zone = tuple(slice(max(0, at[0] - REACH_PX), at[-1] + REACH_PX + 1) for at in (rows, columns))
    own = (weight[zone] == FULL).astype(np.float32)
    softened = (fade[zone] > weight[zone])[..., None]
    wide = np.maximum(_spread(_spread(own)), 1e-6)[..., None]
    carried = _spread(_spread(own[..., None] * light[zone])) / wide
    changed = np.copy(light)
    np.copyto(changed[zone], carried, where=softened)
    return changed, fade


def _faded(weight: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the weight with the pixels beside a cut edge raised to what fades from it."""
    own = (weight == FULL).astype(np.uint8)
    near = cv2.dilate(own, _SQUARE) > own
    cut = (near & (weight < FULL // 2)).astype(np.uint8)
    if not cut.any():
        return weight
    beside = cv2.dilate(cut, _SQUARE, iterations=REACH_PX)
    wide = _sixteenfold_spread(_sixteenfold_spread(own))
    return np.asarray(np.maximum(weight, _FADE.take(wide) * beside))


def _sixteenfold_spread(counts: NDArray[np.integer]) -> NDArray[np.int16]:
    """Return 16 times what :func:`_spread` gives, in whole numbers."""
    border = cv2.BORDER_CONSTANT
    spread = cv2.sepFilter2D(counts, cv2.CV_16S, _BINOMIAL, _BINOMIAL, borderType=border)
    return np.asarray(spread, dtype=np.int16)


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values (h, w) or (h, w, 3) spread to their eight neighbours, weights 1, 2, 1."""
    for low, high in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        total = 2 * values
        total[high] += values[low]
        total[low] += values[high]
        total /= np.float32(4)
        values = total
    return values
