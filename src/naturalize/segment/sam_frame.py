"""How an image lies in the square that SAM looks at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.disjoint import clean


@dataclass(frozen=True)
class Frame:
    """An image of ``shape`` (height, width) in the upper left of a square of ``side_px``.

    The longer side fills the square, the rest of it is padding. The decoder's logits, float32
    (side, side), cover the same square at a lower resolution.

    >>> Frame((50, 100), 1024).resized
    (512, 1024)
    """

    shape: tuple[int, int]
    side_px: int

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width of the image in the square, at least 1."""
        scale = self.side_px / max(self.shape)
        height, width = (max(1, int(side * scale + 0.5)) for side in self.shape)
        return height, width

    def placed(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points (..., 2), row and column in the image, as those in the square."""
        scale = np.array(self.resized) / np.array(self.shape)
        return np.asarray(points * scale, dtype=np.float32)

    def seen(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the part of (..., side, side) logits that shows the image, not padding."""
        share = logits.shape[-1] / self.side_px
        rows, columns = (int(np.ceil(side * share)) for side in self.resized)
        return logits[..., :rows, :columns]

    def enlarged(self, logits: NDArray[np.float32], window: Box) -> NDArray[np.float32]:
        """Return the logits of one mask in a part of the image, one a pixel.

        Bilinear to the size of the square and then to that of the image, as SAM's authors do.
        """
        side = (self.side_px, self.side_px)
        square = np.asarray(cv2.resize(logits, side, interpolation=cv2.INTER_LINEAR), np.float32)
        (height, width), (rows, columns) = self.shape, self.resized
        down = _sampled(square[:rows], np.arange(window.top, window.bottom), height)
        across = _sampled(down.T[:columns], np.arange(window.left, window.right), width)
        return across.T

    def mask(self, logits: NDArray[np.float32]) -> tuple[Box, NDArray[np.bool_]] | None:
        """Return the mask that logits show, cleaned, with its box in the image; None if empty."""
        window = self._window(self.seen(logits) > 0, logits.shape[-1])
        found = clean(self.enlarged(logits, window) > 0)
        if found is None:
            return None
        box, pixels = found
        return box.moved(window.top, window.left), pixels

    def _window(self, shown: NDArray[np.bool_], side: int) -> Box:
        """Return where in the image the pixels of a mask can lie that logits show."""
        near = Box.around(shown).grown(2)
        edges = np.array([(near.top, near.left), (near.bottom, near.right)])
        scale = np.array(self.shape) / np.array(self.resized) * self.side_px / side
        (top, left), (bottom, right) = np.rint(edges * scale).astype(int).tolist()
        return Box(top, left, bottom - top, right - left).clipped(*self.shape)


def _sampled(
    lines: NDArray[np.float32], wanted: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Return those ``wanted`` of the ``count`` lines that linear interpolation makes of some."""
    last = len(lines) - 1
    at = ((wanted + 0.5) * len(lines) / count - 0.5).clip(0, last)
    before = at.astype(np.int64)
    weight = (at - before).astype(np.float32)[:, None]
    one, other = lines[before], lines[np.minimum(before + 1, last)]
    return np.asarray(one + weight * (other - one), dtype=np.float32)
