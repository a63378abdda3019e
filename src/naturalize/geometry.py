"""Boxes on an image, always in (row, column) order, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, order=True)
class Box:
    """An axis-aligned rectangle; ``top`` and ``left`` may lie outside the image.

    >>> Box(2, 3, 4, 5).clipped(5, 5)
    Box(top=2, left=3, height=3, width=2)
    """

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def of(cls, slices: tuple[slice, ...]) -> Box:
        """Return the box of row and column slices.

        >>> Box.of((slice(1, 3), slice(2, 6)))
        Box(top=1, left=2, height=2, width=4)
        """
        rows, columns = slices
        return cls(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> Box:
        """Return the smallest box around the pixels of a mask (h, w); all 0 where there is none.

        >>> Box.around(np.array([[False, False, False], [False, True, True]]))
        Box(top=1, left=1, height=1, width=2)
        """
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        return cls(top, left, height, width)

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices for numpy indexing; the box must lie inside the image."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meets(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        down = self.top < other.bottom and other.top < self.bottom
        return down and self.left < other.right and other.left < self.right

    def joined(self, other: Box) -> Box:
        """Return the smallest box that holds both.

        >>> Box(0, 4, 2, 2).joined(Box(3, 1, 2, 2))
        Box(top=0, left=1, height=5, width=5)
        """
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom, right = max(self.bottom, other.bottom), max(self.right, other.right)
        return Box(top, left, bottom - top, right - left)

    def moved(self, down_px: int, right_px: int) -> Box:
        """Return the box moved down and to the right."""
        return Box(self.top + down_px, self.left + right_px, self.height, self.width)

    def clipped(self, height_px: int, width_px: int) -> Box:
        """Return the part of this box inside an image; its sides are 0 when there is none."""
        top, left = max(0, self.top), max(0, self.left)
        bottom, right = min(height_px, self.bottom), min(width_px, self.right)
        return Box(top, left, max(0, bottom - top), max(0, right - left))

    def grown(self, margin_px: int) -> Box:
        """Return the box with ``margin_px`` added on every side."""
        return Box(
            self.top - margin_px,
            self.left - margin_px,
            self.height + 2 * margin_px,
            self.width + 2 * margin_px,
        )
