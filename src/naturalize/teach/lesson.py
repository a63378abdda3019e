"""One lesson: a crowded composite as the network sees it, and all that it should say of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.canvas import inside
from naturalize.compose.scene import Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.geometry import Box
from naturalize.segment.cell_net import N_RAYS, SEEN, density_seen
from naturalize.segment.nucleus import nuclear_pixels
from naturalize.segment.red_cell_size import LEAST_DIAMETER_PX
from naturalize.segment.smear import Smear
from naturalize.segment.stain import measure_stain
from naturalize.teach.crowd import crowd_picture, draw_crowd, placed_mask

A = TypeVar("A", bound=np.generic)
SEVERAL = -1
"""Owner of a pixel that several red cells share."""
_SAMPLES = 4
_FIELDS = ("seen", "shown", "owner", "cells")


@dataclass(frozen=True, eq=False)
class Lesson:
    """One composite at 32 pixels a red cell.

    ``seen`` float16 (height, width, 3), float32 once varied, is density in units of the red cells'
    own; ``shown`` uint8 (height, width) what each pixel shows, by its place in ``SEEN``; ``owner``
    int16 the number of its cell from 1, 0 for none, ``SEVERAL``; ``cells`` float32 (n, 34) a row
    each: the centre of
    mass (row, column), then how far the cell reaches from there, hidden parts included, over 32
    directions.
    """

    seen: NDArray[np.floating[Any]]
    shown: NDArray[np.uint8]
    owner: NDArray[np.int16]
    cells: NDArray[np.float32]


def make_lesson(bank: CutoutBank, *, rng: np.random.Generator) -> Lesson | None:
    """Draw, render and describe a crowd; None where its red cells' size cannot be told."""
    scene = draw_crowd(bank, rng=rng)
    image = crowd_picture(scene, bank)
    stain = measure_stain(image)
    if stain is None:
        return None
    diameter = Smear().red_cell_diameter_px(stain, nuclear_pixels(stain))
    if diameter < LEAST_DIAMETER_PX:
        return None
    seen = density_seen(stain, diameter)
    shown, owner, cells = _truth(scene, bank)
    height, width = image.shape[:2]
    scale = np.array([seen.shape[0] / height, seen.shape[1] / width])
    cells[:, :2] = (cells[:, :2] + 0.5) * scale - 0.5
    cells[:, 2:] *= scale.mean()
    return Lesson(
        seen.astype(np.float16),
        resampled(shown, seen.shape),
        resampled(owner, seen.shape),
        cells.astype(np.float32),
    )


def resampled(labels: NDArray[A], shape: tuple[int, ...]) -> NDArray[A]:
    """Return labels (height, width) at another size, each the nearest."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for old, new in zip(labels.shape, shape[:2], strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _truth(
    scene: Scene, bank: CutoutBank
) -> tuple[NDArray[np.uint8], NDArray[np.int16], NDArray[np.float64]]:
    """Return what every pixel of a scene shows, whose it is, and the cells' outlines.

    Nucleated cells lie on platelets, and those on red cells.
    """
    shape = scene.height_px, scene.width_px
    shown, owner = np.zeros(shape, np.uint8), np.zeros(shape, np.int16)
    kinds = [bank.by_id[one.cutout].kind for one in scene.placements]
    masks = [placed_mask(bank, one) for one in scene.placements]
    for kind in ("RBC", "PLT", "WBC"):
        for number, (own_kind, (mask, box)) in enumerate(zip(kinds, masks, strict=True), start=1):
            seen = box.clipped(*shape)
            if own_kind != kind or seen.height <= 0 or seen.width <= 0:
                continue
            own = mask[inside(box, seen)]
            shared = own & (owner[seen.slices] != 0) if kind == "RBC" else np.zeros_like(own)
            np.copyto(shown[seen.slices], np.uint8(SEEN.index(kind)), where=own)
            np.copyto(owner[seen.slices], np.int16(number), where=own)
            np.copyto(owner[seen.slices], np.int16(SEVERAL), where=shared)
    return shown, owner, np.stack([_outline(mask, box) for mask, box in masks])


def _outline(mask: NDArray[np.bool_], box: Box) -> NDArray[np.float64]:
    """Return a cell's centre of mass (row, column) and its reach in 32 directions, in px."""
    moments = cv2.moments(mask.view(np.uint8), True)
    column, row = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    farthest = int(np.hypot(*mask.shape)) + 2
    steps = 2 * farthest
    flags = cv2.INTER_LINEAR + cv2.WARP_FILL_OUTLIERS
    size = (steps, N_RAYS * _SAMPLES)
    along = cv2.warpPolar(mask.astype(np.uint8) * 255, size, (column, row), farthest, flags) > 127
    reach = np.where(along.any(axis=1), steps - along[:, ::-1].argmax(axis=1), 0)
    # Samples lie at whole multiples of a quarter of a sector; its middle is at the second.
    sectors = reach.reshape(N_RAYS, _SAMPLES).astype(np.float64)
    ends = (sectors[:, 0] + np.roll(sectors[:, 0], -1)) / 2
    rays = (ends + sectors[:, 1:].sum(axis=1)) / _SAMPLES * farthest / steps
    return np.concatenate([[row + box.top, column + box.left], rays])


def pack_lessons(lessons: Sequence[Lesson]) -> bytes:
    """Return lessons as one ``npz`` without pickle."""
    arrays = {
        f"{i}.{name}": getattr(one, name) for i, one in enumerate(lessons) for name in _FIELDS
    }
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack_lessons(data: bytes) -> list[Lesson]:
    """Return the lessons that :func:`pack_lessons` packed."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        count = len(arrays.files) // len(_FIELDS)
        return [Lesson(*(arrays[f"{i}.{name}"] for name in _FIELDS)) for i in range(count)]
