"""The outline of a mask as a short text, so that a table can hold it and a person can see it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def outline_text(pixels: NDArray[np.bool_], top: int, left: int) -> str:
    """Return the longest outline of a mask (height, width) whose corner lies at ``top``, ``left``.

    The points of a closed curve, ``row,column`` each, straightened by up to a pixel; empty for an
    empty mask.

    >>> outline_text(np.ones((3, 9), dtype=bool), 10, 20)
    '10,20 12,20 12,28 10,28'
    """
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if not contours:
        return ""
    curve = cv2.approxPolyDP(max(contours, key=len), 1.0, True)[:, 0]
    return " ".join(f"{top + row},{left + column}" for column, row in curve.tolist())


def outline_points(text: str) -> NDArray[np.int32]:
    """Return the points (row, column) of :func:`outline_text`, int32 (n, 2).

    >>> outline_points("10,20 12,28").tolist()
    [[10, 20], [12, 28]]
    """
    numbers = [int(number) for point in text.split() for number in point.split(",")]
    return np.array(numbers, dtype=np.int32).reshape(-1, 2)
