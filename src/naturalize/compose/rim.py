"""The rim of a cutout as a lens draws it: its halo kept, no edge sharper than optics allow.

Around a cell lies a halo, coloured by the lens, as wide as the rim: one that fades evenly loses
most of it. Where a cell touched another its rim was left out: pasted as it is, it ends from one
pixel to the next, which no microscope shows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import FULL

REACH_PX = 2
_GAIN = 1.6
"""Brings the first pixel outside a straight edge to half the object's weight."""


def keep_halo(weight: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the weight (h, w) of an object with a rim that stays firm and fades late.

    >>> keep_halo(np.array([[255, 203, 102, 0]], np.uint8)).tolist()
    [[255, 244, 164, 0]]
    """
    missing = (FULL - 1) - np.minimum(weight, FULL - 1).astype(np.int32)
    firm = (FULL - 1) - missing * missing // (FULL - 1)
    return np.where(weight == FULL, weight, firm).astype(np.uint8)


def soften_cuts(
    light: NDArray[np.float32], weight: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return light (h, w, 3) and weight (h, w) of an object whose cut edges fade over two pixels.

    There the object's own light is carried on outwards, so nothing of the neighbour comes along.
    Its own pixels and its undisturbed rim stay as they are.
    """
    own = (weight == FULL).astype(np.float32)
    near = _spread(own)
    cut = (own == 0) & (near > 0) & (weight < FULL // 2)
    if not cut.any():
        return light, weight
    beside = _spread(_spread(cut.astype(np.float32))) > 0
    wide = _spread(near)
    zone = beside & (own == 0) & (wide > 0)
    carried = _spread(_spread(own[..., None] * light)) / np.maximum(wide, 1e-6)[..., None]
    fade = np.rint(np.minimum(_GAIN * wide, 1) * (FULL - 1)).astype(np.uint8)
    softened = zone & (fade > weight)
    return (
        np.where(softened[..., None], carried, light).astype(np.float32),
        np.where(softened, fade, weight).astype(np.uint8),
    )


def _spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values (h, w) or (h, w, 3) spread to their eight neighbours, weights 1, 2, 1."""
    for axis in (0, 1):
        edge = [(1, 1) if a == axis else (0, 0) for a in range(values.ndim)]
        wide = np.pad(values, edge)
        low, mid, high = (
            np.take(wide, range(k, k + values.shape[axis]), axis=axis) for k in range(3)
        )
        values = (low + 2 * mid + high) / np.float32(4)
    return values
