"""The pale centres of red cells, and the gaps between cells that are none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.gaps import find_gaps, gap_within, n_cut_sides
from naturalize.segment.regions import framed

_PALLOR_SHARE = 0.45
_BOX_SHARE = 0.6
_CUT_SOLIDITY = 0.93
_TINY = 0.02


def fill_pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Fill holes that may be a red cell's pale centre, not the gaps enclosed by a ring of cells.

    A ring with a narrow break counts as closed.
    """
    side = max(3, round(0.1 * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    filled = foreground | _pallor(foreground, diameter_px)
    closed = cv2.morphologyEx(filled.astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0
    centres = _pallor(closed, diameter_px)
    if not centres.any():
        return np.asarray(filled)
    rims = cv2.dilate(centres.astype(np.uint8), disc) > 0
    return np.asarray(filled | centres | (rims & closed))


def _pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the gaps that are small enough, and round or tiny; one side of the image may cut."""
    disc = np.pi / 4 * diameter_px**2
    pixels = np.zeros_like(foreground)
    for place in find_gaps(foreground):
        box, n_cut = foreground[place], n_cut_sides(place, foreground.shape)
        large = _BOX_SHARE * box.size >= _PALLOR_SHARE * disc
        if n_cut > 1 or (large and sum(box.shape) - 1 >= _TINY * disc):
            continue
        gap = gap_within(box)
        area = np.count_nonzero(gap)
        round_enough = _BOX_SHARE * box.size < area < _PALLOR_SHARE * disc
        if (area < _TINY * disc or round_enough) and (not n_cut or _is_convex(gap)):
            pixels[place] |= gap
    return pixels


def _is_convex(pixels: NDArray[np.bool_]) -> bool:
    """Whether a region has no bays: the outlines of cells bend into the gaps between them."""
    apart = framed(pixels, 1).view(np.uint8)
    outlines, _ = cv2.findContours(apart, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    full = cv2.fillConvexPoly(np.zeros_like(apart), hull, 1)
    return bool(pixels.sum() > _CUT_SOLIDITY * full.sum())
