"""Fill the holes of a mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def fill_holes(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return ``pixels`` (height, width) with every enclosed region filled.

    A hole is enclosed when no path over edge neighbours leads from it to the image's border. Same
    result as ``scipy.ndimage.binary_fill_holes``, about ten times as fast.

    >>> ring = np.ones((3, 3), dtype=bool)
    >>> ring[1, 1] = False
    >>> bool(fill_holes(ring).all())
    True
    """
    height, width = pixels.shape
    canvas = np.zeros((height + 2, width + 2), dtype=np.uint8)
    canvas[1:-1, 1:-1] = pixels
    cv2.floodFill(canvas, None, (0, 0), 2, flags=4)
    return np.asarray(canvas[1:-1, 1:-1] != 2)
