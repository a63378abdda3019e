"""Cells of one image pasted into another by their transmittance, whole or across the border."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.compose.placement import orient
from naturalize.cutouts.cut_image import cut_image
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.optics import estimate_background
from naturalize.segment import Smear

MAX_OVERLAP = 0.1
"""Share of a pasted cell that may lie over red cells; none may over other cells."""
TRIES = 60


@dataclass(frozen=True)
class Pasted:
    """An image into which a cell was pasted, and where, bool (height, width)."""

    image: Rgb
    where: NDArray[np.bool_]
    visible: float


def subject(root: Path, sample: Sample) -> Cutout | None:
    """Cut the nucleated cell at the centre out of an image."""
    rgb = read_sample(root, sample)
    cut = cut_image(sample.id, sample.label, rgb, Smear().segment(rgb)).cutouts
    return next((c for c in cut if c.kind == "WBC" and c.label), None)


def paste(
    rgb: Rgb, cutout: Cutout, visible: float, pose: tuple[int, bool], rng: np.random.Generator
) -> Pasted | None:
    """Lay the cell's transmittance over a free place, or return None where there is none."""
    weight = orient(cutout.weight, *pose)
    if max(weight.shape) + 4 >= min(rgb.shape[:2]):
        return None
    taken, kept_clear = occupied(rgb)
    mask = weight == FULL
    if visible == 1:
        free = free_places(mask, taken, kept_clear)
        places = free[rng.permutation(len(free))[:1]].tolist()
    else:
        places = [across(mask, taken.shape, visible, rng) for _ in range(TRIES)]
    for top, left in places:
        rows, columns = np.nonzero(mask)
        inside = (rows + top >= 0) & (rows + top < taken.shape[0])
        inside &= (columns + left >= 0) & (columns + left < taken.shape[1])
        where = np.zeros(taken.shape, dtype=np.bool_)
        where[rows[inside] + top, columns[inside] + left] = True
        if not inside.any() or kept_clear[where].any():
            continue
        if taken[where].mean() <= MAX_OVERLAP:
            image = blend(rgb, orient(cutout.transmittance, *pose), weight, top, left)
            return Pasted(image, where, float(inside.mean()))
    return None


def occupied(rgb: Rgb) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what is no bare slide, and what of it are nucleated cells and platelets."""
    taken = cv2.medianBlur((~estimate_background(rgb)).astype(np.uint8), 5) > 0
    others = np.zeros(taken.shape, dtype=np.bool_)
    for mask in Smear().segment(rgb):
        if mask.kind != "RBC":
            others[mask.box.slices] |= mask.pixels
    return taken, others


def free_places(
    mask: NDArray[np.bool_], taken: NDArray[np.bool_], kept_clear: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return where a mask's box may begin so that all of it lies inside, (n, 2)."""
    kernel = mask.astype(np.float32) / np.float32(mask.sum())
    lain_over = [
        cv2.filter2D(some.astype(np.float32), -1, kernel, anchor=(0, 0))
        for some in (taken, kept_clear)
    ]
    free = (lain_over[0] <= MAX_OVERLAP - 0.01) & (lain_over[1] < 1e-4)
    height, width = mask.shape
    inside = np.zeros_like(free)
    inside[2 : free.shape[0] - height - 2, 2 : free.shape[1] - width - 2] = True
    return np.argwhere(free & inside)


def across(
    mask: NDArray[np.bool_], shape: tuple[int, ...], visible: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Draw where a mask goes across one border so that a share of it is visible."""
    at = [int(rng.integers(2, free - 1)) for free in np.array(shape[:2]) - mask.shape]
    axis, far = int(rng.integers(2)), bool(rng.integers(2))
    profile = np.cumsum(mask.sum(axis=1 - axis)) / mask.sum()
    if far:
        at[axis] = shape[axis] - int(np.searchsorted(profile, visible)) - 1
    else:
        at[axis] = -int(np.searchsorted(profile, 1 - visible)) - 1
    return at[0], at[1]


def blend(
    rgb: Rgb, light: NDArray[np.float32], weight: NDArray[np.uint8], top: int, left: int
) -> Rgb:
    """Return the image seen through the cell, encoded and decoded as PBC's images are."""
    pad = max(weight.shape)
    canvas = np.pad(rgb.astype(np.float32), ((pad, pad), (pad, pad), (0, 0)))
    rows = slice(pad + top, pad + top + weight.shape[0])
    columns = slice(pad + left, pad + left + weight.shape[1])
    canvas[rows, columns] *= 1 + weight[..., None] / np.float32(FULL) * (light - 1)
    pixels = np.rint(canvas[pad:-pad, pad:-pad]).clip(0, 255).astype(np.uint8)
    return images.decode(images.encode_jpeg(pixels, quality=95, chroma="4:4:4"))
