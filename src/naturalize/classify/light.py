"""Pictures taken in another light, brought into that of the train images.

A cell lets through a share of the light whatever its colour, so dividing by the bare slide and
multiplying by that of the train images shows the same cell in their light.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from naturalize.curate.source import background
from naturalize.images import Rgb

SAME_LEVELS = 12.0
"""Slides that differ by no more, in grey levels of any channel, are left as they are."""
_SEEN_PX = 600
Colour = tuple[float, float, float]


def slide_colour(rgb: Rgb) -> Colour:
    """Return the colour of the bare slide of a picture, large ones looked at in steps."""
    step = max(1, min(rgb.shape[:2]) // _SEEN_PX)
    return background(rgb[::step, ::step])


def in_known_light(view: Rgb, slide: Colour, known: Sequence[Colour]) -> Rgb:
    """Return ``view`` as if its ``slide`` were the first of ``known``, unless it is like one.

    >>> grey = np.full((1, 1, 3), 50, np.uint8)
    >>> in_known_light(grey, (100, 100, 200), [(200, 200, 200)]).ravel().tolist()
    [100, 100, 50]
    """
    gaps = np.abs(np.asarray(known) - slide).max(axis=1)
    if gaps.min() <= SAME_LEVELS or min(slide) < 1:
        return view
    levels = np.arange(256)[:, None] * (np.asarray(known[0]) / slide)
    table = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.asarray(cv2.LUT(view, table[None]), dtype=np.uint8)


def known_slides(slides: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[Colour]:
    """Return the colours that slides (N, 3) come in, the commonest first, rare ones left out.

    Each is the median of those near it, found one after another among those not near an earlier.
    """
    known: list[Colour] = []
    rest = slides
    while len(rest) * 100 >= len(slides):
        middle = np.median(rest, axis=0)
        near = np.abs(rest - middle).max(axis=1) <= SAME_LEVELS
        red, green, blue = (np.median(rest[near], axis=0) if near.any() else middle).tolist()
        known.append((red, green, blue))
        rest = rest[np.abs(rest - known[-1]).max(axis=1) > SAME_LEVELS]
        if not near.any():
            break
    return known
