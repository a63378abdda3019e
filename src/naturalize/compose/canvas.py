"""What of a composite is taken already, while its scene is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.geometry import Box

FREE, TAKEN, SUBJECT = 0, 1, 2


@dataclass
class Canvas:
    """Where objects lie already: one byte a pixel, and their boxes."""

    taken: NDArray[np.uint8]
    boxes: list[Box] = field(default_factory=list)

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Canvas:
        """Return an empty canvas of (height, width) px."""
        return cls(np.full(shape, FREE, dtype=np.uint8))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.taken.shape[0], self.taken.shape[1]

    def fits(self, mask: NDArray[np.bool_], box: Box, recipe: Recipe) -> bool:
        """Whether an object may lie in ``box``; ``mask`` has the box's shape."""
        by_box = recipe.collision == "box"
        if by_box and any(box.meets(other) for other in self.boxes):
            return False
        seen = box.clipped(*self.shape)
        if not seen.height or not seen.width:
            return False
        if by_box:
            return True
        own = mask[inside(box, seen)]
        area = int(np.count_nonzero(own))
        below = self.taken[seen.slices] * own
        overlap = int(np.count_nonzero(below))
        free_of_subject = not (below == SUBJECT).any()
        return area > 0 and free_of_subject and overlap <= recipe.overlap * area

    def clear_of_boxes(
        self, shape: tuple[int, int], tops: NDArray[np.int64], lefts: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return at which corners, (n,) each, a box of that shape meets none, bool (n,)."""
        meets = np.zeros(tops.shape, dtype=np.bool_)
        for box in self.boxes:
            down = (tops < box.bottom) & (tops > box.top - shape[0])
            meets |= down & (lefts < box.right) & (lefts > box.left - shape[1])
        return ~meets

    def put(self, mask: NDArray[np.bool_], box: Box) -> None:
        """Mark a bystander's pixels."""
        self._mark(mask, box, TAKEN)

    def put_subject(self, mask: NDArray[np.bool_], box: Box) -> None:
        """Mark the subject's pixels, which stay free of anything else."""
        self._mark(mask, box, SUBJECT)

    def _mark(self, mask: NDArray[np.bool_], box: Box, what: int) -> None:
        seen = box.clipped(*self.shape)
        taken = self.taken[seen.slices]
        np.maximum(taken, mask[inside(box, seen)] * np.uint8(what), out=taken)
        self.boxes.append(box)


def inside(box: Box, seen: Box) -> tuple[slice, slice]:
    """Return the slices of an array of ``box`` that lie in its visible part ``seen``."""
    top, left = seen.top - box.top, seen.left - box.left
    return slice(top, top + seen.height), slice(left, left + seen.width)
