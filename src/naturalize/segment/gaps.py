"""The gaps in a mask: pale centres of cells, and slide that cells or the border enclose."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def find_gaps(pixels: NDArray[np.bool_]) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each gap in a mask: a region of what lies outside.

    Pixels that touch at a corner alone are of two gaps. See :func:`gap_within`.

    >>> find_gaps(np.array([[True, True, True], [True, False, True], [True, True, True]]))
    [(slice(1, 2, None), slice(1, 2, None))]
    """
    framed = cv2.copyMakeBorder(pixels.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    outlines, families = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    inner = (line for line, family in zip(outlines, families[0], strict=True) if family[3] >= 0)
    boxes = (cv2.boundingRect(line) for line in inner)
    # An outline runs through the pixels around a gap, and the frame is one pixel wide.
    return [(slice(t, t + h - 2), slice(left, left + w - 2)) for left, t, w, h in boxes]


def gap_within(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the gap whose box is all of this part of a mask; other gaps may show in it."""
    gaps, size = (~pixels).view(np.uint8), pixels.shape[::-1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(gaps, connectivity=4)
    sizes = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    whole = next(i for i in range(1, count) if tuple(sizes[i]) == size)
    return np.asarray(labels == whole)


def n_cut_sides(place: tuple[slice, slice], shape: tuple[int, ...]) -> int:
    """Return at how many of its four sides the border of an image of ``shape`` cuts a box.

    >>> n_cut_sides((slice(0, 4), slice(2, 9)), (8, 9))
    2
    """
    return sum(
        cut
        for part, side in zip(place, shape, strict=True)
        for cut in (part.start == 0, part.stop == side)
    )
