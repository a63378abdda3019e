"""A lesson seen otherwise: other size, place, pose, stain, focus, noise and dirt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cell_net import COARSE, N_RAYS, UNIT_PX, folded
from naturalize.teach.lesson import Lesson, resampled

A = TypeVar("A", bound=np.generic)
SIDE_PX = 128
UNKNOWN = 255
"""What a pixel beyond the image shows."""
_SIZES = (0.75, 1.35)
_GAMMAS = (0.75, 1.35)


@dataclass(frozen=True, eq=False)
class Example:
    """What the network is given, and what it should answer.

    ``seen`` float32 (12, 64, 64); ``shown`` uint8 (128, 128), ``UNKNOWN`` where nothing is asked;
    ``votes`` float32 (34, 64, 64): offset to the cell's centre and its rays, in ``UNIT_PX``;
    ``known`` bool (64, 64): where the votes count.
    """

    seen: NDArray[np.float32]
    shown: NDArray[np.uint8]
    votes: NDArray[np.float32]
    known: NDArray[np.bool_]


def draw_example(lesson: Lesson, *, rng: np.random.Generator) -> Example:
    """Cut a square of 128 px out of a lesson, after a change of size, pose and look."""
    lesson = _flipped(_square(_sized(lesson, rng), rng), rng)
    known = lesson.shown != UNKNOWN
    seen = np.ascontiguousarray(lesson.seen, dtype=np.float32)
    seen = _spotted(_disturbed(_refocused(_restained(seen, rng), rng), rng), rng) * known[..., None]
    places = (slice(1, None, COARSE), slice(1, None, COARSE))
    votes, voting = _votes(lesson.owner[places], lesson.cells)
    shown = np.ascontiguousarray(lesson.shown)
    return Example(folded(seen.astype(np.float32)), shown, votes, voting & known[places])


def _sized(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """Enlarge or shrink: the size of red cells is not always measured well."""
    scale = float(np.exp(rng.uniform(*np.log(_SIZES))))
    height, width = (round(side * scale) for side in lesson.shown.shape)
    how = cv2.INTER_AREA if scale < 1 else int(rng.choice([cv2.INTER_CUBIC, cv2.INTER_LINEAR]))
    seen = cv2.resize(lesson.seen.astype(np.float32), (width, height), interpolation=how)
    cells = lesson.cells * np.float32(scale)
    cells[:, :2] += (scale - 1) / 2
    shown = resampled(lesson.shown, (height, width))
    owner = resampled(lesson.owner, (height, width))
    return Lesson(np.asarray(seen, np.float32), shown, owner, cells)


def _square(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """Cut out a square; beyond the image is bare slide, and unknown."""
    lengths = lesson.shown.shape
    corner = [int(rng.integers(min(0, n - SIDE_PX), max(0, n - SIDE_PX) + 1)) for n in lengths]
    there = tuple(
        slice(max(0, c), min(n, c + SIDE_PX)) for c, n in zip(corner, lengths, strict=True)
    )
    here = tuple(slice(s.start - c, s.stop - c) for s, c in zip(there, corner, strict=True))
    seen = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
    shown = np.full((SIDE_PX, SIDE_PX), UNKNOWN, np.uint8)
    owner = np.zeros((SIDE_PX, SIDE_PX), np.int16)
    seen[here], shown[here], owner[here] = (
        lesson.seen[there],
        lesson.shown[there],
        lesson.owner[there],
    )
    cells = lesson.cells.copy()
    cells[:, :2] -= corner
    return Lesson(seen, shown, owner, cells)


def _flipped(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """Flip left to right, or not, and turn by quarters against the clock."""
    flip, turns = bool(rng.integers(2)), int(rng.integers(4))
    cells, last = lesson.cells.copy(), SIDE_PX - 1
    if flip:
        cells[:, 1] = last - cells[:, 1]
        cells[:, 2:] = cells[:, 2:][:, (N_RAYS // 2 - 1 - np.arange(N_RAYS)) % N_RAYS]
    for _ in range(turns):
        cells[:, :2] = np.stack([last - cells[:, 1], cells[:, 0]], axis=1)
        cells[:, 2:] = np.roll(cells[:, 2:], -N_RAYS // 4, axis=1)
    return Lesson(
        _turned(lesson.seen, flip, turns),
        _turned(lesson.shown, flip, turns),
        _turned(lesson.owner, flip, turns),
        cells,
    )


def _turned(array: NDArray[A], flip: bool, turns: int) -> NDArray[A]:
    return np.rot90(array[:, ::-1] if flip else array, turns)


def _restained(seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change contrast, depth and colour of the stain."""
    if rng.random() < 0.6:
        seen = np.sign(seen) * np.abs(seen) ** np.float32(rng.uniform(*_GAMMAS))
    mix = np.eye(3) + rng.normal(0, 0.09, (3, 3))
    depth = np.exp(rng.normal(0, 0.18) + rng.normal(0, 0.1, 3))
    return np.asarray(seen @ (depth[:, None] * mix).astype(np.float32))


def _refocused(seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Blur or sharpen."""
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.3, 2.1))))
    if rng.random() < 0.3:
        return np.asarray(
            seen + rng.uniform(0.2, 0.8) * (seen - cv2.GaussianBlur(seen, (0, 0), 1.2))
        )
    return seen


def _disturbed(seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Add a slide that is not quite flat, and noise."""
    if rng.random() < 0.5:
        slide = rng.normal(0, 0.05, (4, 4, 3)).astype(np.float32)
        seen = seen + cv2.resize(slide, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        return np.asarray(seen + rng.normal(0, rng.uniform(0, 0.06), seen.shape), dtype=np.float32)
    return np.asarray(seen, dtype=np.float32)


def _spotted(seen: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Add specks of dirt, which are to be called what they lie on."""
    if rng.random() < 0.3:
        rows, columns = np.ogrid[:SIDE_PX, :SIDE_PX]
        for row, column in rng.integers(0, SIDE_PX, (int(rng.integers(1, 6)), 2)):
            distance = (rows - row) ** 2 + (columns - column) ** 2
            speck = np.exp(-distance / (2 * rng.uniform(0.5, 3) ** 2)) * rng.uniform(0.2, 1.2)
            seen = np.maximum(seen, speck[..., None] * rng.uniform(0.5, 1.2, 3))
    return np.asarray(seen, dtype=np.float32)


def _votes(
    owner: NDArray[np.int16], cells: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what each place should vote for, float32 (34, h, w), and whether it has a cell."""
    known = owner > 0
    told = cells[np.where(known, owner - 1, 0)].transpose(2, 0, 1).copy()
    rows, columns = np.ogrid[: owner.shape[0], : owner.shape[1]]
    told[0] -= COARSE * rows + 1
    told[1] -= COARSE * columns + 1
    return np.asarray(told / np.float32(UNIT_PX), dtype=np.float32), known
