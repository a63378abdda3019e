"""What hangs on a cell by a neck: a platelet, or another small body, that lies against it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.regions import find_boxes, framed, inner_distance

_CORE, _CORE_OF_OWN = 0.42, 0.6
"""Radius of the disc that reaches a cell's body: in diameters of a red cell, and at most in radii
of the cell itself."""
_LEAST = 0.17
"""A bead covers at least a square of this side, in diameters of a red cell."""
_NECK = 1.4
"""A bead meets the body along less than so many of its widths; a bleb or a corner stands wider."""
_SQUARE = np.ones((3, 3), np.uint8)


def find_beads(labels: NDArray[np.int32], diameter_px: float) -> NDArray[np.bool_]:
    """Return the parts of objects, labels int32 (height, width), that hang on them by a neck.

    ``diameter_px`` is that of a red cell. A part in which the disc finds room is a body itself.
    """
    beads = np.zeros(labels.shape, dtype=np.bool_)
    for number, place in enumerate(find_boxes(labels), start=1):
        if place is not None:
            rows, columns = (slice(max(0, side.start - 1), side.stop + 1) for side in place)
            beads[rows, columns] |= _beads_of(labels[rows, columns] == number, diameter_px)
    return beads


def _beads_of(own: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the beads of one object, bool (h, w), as if it went on beyond its array."""
    frame = round(_CORE * diameter_px) + 2
    whole = framed(own, frame, going_on=True)
    depth = inner_distance(whole)
    radius = min(_CORE * diameter_px, _CORE_OF_OWN * float(depth.max()))
    body = whole & (inner_distance(depth <= radius) <= radius + 1)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(
        (whole & ~body).view(np.uint8), connectivity=4
    )
    beads = np.zeros_like(whole)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] >= (_LEAST * diameter_px) ** 2:
            one = parts == part
            beside = cv2.dilate(one.view(np.uint8), _SQUARE).view(np.bool_) & body
            if np.count_nonzero(beside) < _NECK * 2 * float(depth[one].max()):
                beads |= one
    return beads[frame:-frame, frame:-frame]
