"""The pale centres of red cells, and the gaps between cells that are none."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.regions import label_regions

_PALLOR_SHARE = 0.35


def fill_pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Fill holes that may be a red cell's pale centre, not the gaps enclosed by a ring of cells.

    A ring with a narrow break counts as closed.
    """
    side = max(3, round(0.1 * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    filled = foreground | _pallor(foreground, diameter_px)
    closed = cv2.morphologyEx(filled.astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0
    centres = _pallor(closed, diameter_px)
    rims = cv2.dilate(centres.astype(np.uint8), disc) > 0
    return np.asarray(filled | centres | (rims & closed))


def _pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the gaps that are small enough, and round or tiny; the border may cut them."""
    labels, stats = label_regions(~foreground, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    cell_area = np.pi / 4 * diameter_px**2
    box_area = stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT]
    fill = (area < _PALLOR_SHARE * cell_area) & (area > 0.6 * box_area)
    fill |= area < 0.02 * cell_area
    fill[0] = False
    pixels = np.zeros_like(foreground)
    for gap in np.flatnonzero(fill):
        left, top, width, height, _ = stats[gap]
        window = (slice(top, top + height), slice(left, left + width))
        pixels[window] |= labels[window] == gap
    return pixels
