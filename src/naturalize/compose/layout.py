"""Where red cells lie: as in one train image, neighbours, clumps and all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from naturalize.geometry import Box


@dataclass(frozen=True)
class Slot:
    """A place for one red cell: the ``box`` of the one observed there.

    ``cut`` tells whether the image's top, left, bottom or right border cut that cell.
    """

    box: Box
    cut: tuple[bool, bool, bool, bool]

    @property
    def is_cut(self) -> bool:
        """Whether only a part of the cell was seen."""
        return any(self.cut)

    def grown(self, rim_px: int) -> Slot:
        """Return the place of the cell with a rim around it."""
        return Slot(self.box.grown(rim_px), self.cut)

    def misfit(self, height_px: int, width_px: int, rim_px: int = 0) -> int:
        """Return how far in px an object's sides are from those of a cell seen whole with a rim."""
        height, width = self.box.height + 2 * rim_px, self.box.width + 2 * rim_px
        return abs(height_px - height) + abs(width_px - width)

    def corner(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Return (top, left) for an object of that size: on the cell's centre or inner edge."""
        top_cut, left_cut, bottom_cut, right_cut = self.cut
        top = _start(self.box.top, self.box.bottom, height_px, top_cut, bottom_cut)
        left = _start(self.box.left, self.box.right, width_px, left_cut, right_cut)
        return top, left


def draw_slots(
    boxes: tuple[Box, ...], canvas: tuple[int, int], *, turns: bool, rng: np.random.Generator
) -> list[Slot]:
    """Return the places of the red cells of an image of ``canvas`` px, in a drawn order.

    ``turns`` mirrors all of them along each axis or not, as drawn.
    """
    down, across = (bool(flag) and turns for flag in rng.integers(0, 2, size=2))
    slots = [_slot(_mirrored(box, canvas, down, across), canvas) for box in boxes]
    return [slots[i] for i in rng.permutation(len(slots))]


def _mirrored(box: Box, canvas: tuple[int, int], down: bool, across: bool) -> Box:
    top = canvas[0] - box.bottom if down else box.top
    left = canvas[1] - box.right if across else box.left
    return Box(top, left, box.height, box.width)


def _slot(box: Box, canvas: tuple[int, int]) -> Slot:
    ends = box.top <= 0, box.left <= 0, box.bottom >= canvas[0], box.right >= canvas[1]
    return Slot(box, ends)


def _start(low: int, high: int, length: int, cut_low: bool, cut_high: bool) -> int:
    if cut_low and not cut_high:
        return high - length
    if cut_high and not cut_low:
        return low
    return (low + high - length) // 2
