"""What SAM is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from naturalize.images import Rgb
from naturalize.segment.mask import Mask
from naturalize.segment.regions import framed, inner_distance
from naturalize.segment.sam_frame import Frame

_GROWTH = 0.05


@dataclass(frozen=True, eq=False)
class Prompts:
    """Questions about one image, each for one object, in pixels of that image.

    ``points`` float32 (n, 2): row, column inside the object. ``boxes`` float32 (n, 4): top, left,
    bottom, right around it, or None where only the points are known.
    """

    points: NDArray[np.float32]
    boxes: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.points)

    def batches(self, size: int) -> Iterator[Prompts]:
        """Yield these prompts in order, at most ``size`` at a time."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Prompts(self.points[part], None if self.boxes is None else self.boxes[part])


@dataclass(frozen=True, eq=False)
class Candidates:
    """SAM's answers to n prompts, several a prompt (3 for every published model).

    ``logits`` float32 (n, 3, side, side) over the model's square, above 0 inside the object;
    ``predicted_iou`` float32 (n, 3), SAM's own guess of how good each is.
    """

    logits: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]


class PromptableModel(Protocol):
    """What this package needs of SAM; an embedding is whatever :meth:`embed` made."""

    @property
    def side_px(self) -> int:
        """Side in px of the square it looks at."""

    def embed(self, images: Sequence[Rgb]) -> Sequence[Any]:
        """Look at images once, all in one batch, and return an embedding of each."""

    def decode(self, embedding: Any, prompts: Prompts, frame: Frame) -> Candidates:
        """Answer prompts about an embedded image in one batch."""


def prompts_from(proposals: Sequence[Mask], shape: tuple[int, ...]) -> Prompts:
    """Ask about each proposal by a box slightly larger than its own and one point inside.

    The point is the one deepest inside the nucleus, where there is one, else inside the mask: the
    centroid of a horseshoe nucleus may lie outside. ``shape`` is the image's (height, width[, 3]).
    """
    points = np.empty((len(proposals), 2), dtype=np.float32)
    boxes = np.empty((len(proposals), 4), dtype=np.float32)
    for i, mask in enumerate(proposals):
        box = mask.box
        points[i] = np.add(_deepest(mask), (box.top, box.left))
        grown = box.grown(1 + round(_GROWTH * max(box.height, box.width))).clipped(*shape[:2])
        boxes[i] = (grown.top, grown.left, grown.bottom, grown.right)
    return Prompts(points, boxes)


def grid_prompts(points_per_side: int, shape: tuple[int, ...]) -> Prompts:
    """Ask about a regular grid of points over the image, row by row.

    >>> grid_prompts(2, (8, 4)).points.tolist()
    [[2.0, 1.0], [2.0, 3.0], [6.0, 1.0], [6.0, 3.0]]
    """
    share = (np.arange(points_per_side) + 0.5) / points_per_side
    rows, columns = np.meshgrid(share * shape[0], share * shape[1], indexing="ij")
    return Prompts(np.stack([rows.ravel(), columns.ravel()], axis=1).astype(np.float32))


def _deepest(mask: Mask) -> tuple[int, int]:
    """Return (row, column) within the mask's box of its point farthest from any edge."""
    known = mask.pixels if mask.nucleus is None or not mask.nucleus.any() else mask.nucleus
    depth = inner_distance(framed(known, 1))[1:-1, 1:-1]
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    return row, column
