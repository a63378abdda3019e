"""One phantom image: cells laid out on a field, exposed, with exact masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.datasets.phantom_cells import Layer, nucleated_cell, platelet, red_cell
from naturalize.datasets.phantom_classes import CLASSES
from naturalize.datasets.phantom_slide import (
    HEIGHT_PX,
    WIDTH_PX,
    Floats,
    Slide,
    expose,
    plate_image,
    transmittance,
)
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.segment.mask import Mask

_MIN_VISIBLE_PX = 12


@dataclass(frozen=True, eq=False)
class PhantomImage:
    """One image with its ground truth.

    ``image`` is the decoded JPEG (uint8, 363 x 360 x 3), ``jpeg`` its bytes. ``masks`` are the
    visible pixels of every cell, disjoint: where cells overlap, the upper one owns the pixels and
    both carry the reason ``"overlap"``.
    """

    label: str
    image: images.Rgb
    jpeg: bytes
    masks: list[Mask]


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer and where the top left corner of its box lies; it may leave the image."""

    layer: Layer
    top: int
    left: int

    @property
    def box(self) -> Box:
        """The layer's box on the image, not clipped."""
        side = self.layer.pixels.shape[0]
        return Box(self.top, self.left, side, side)


def render(label: str, *, rng: np.random.Generator, slide: Slide) -> PhantomImage:
    """Draw one image of class ``label`` as seen on ``slide``; the same ``rng``, the same bytes."""
    if label not in CLASSES:
        raise InputError("label", f"one of {', '.join(CLASSES)}", label)
    placed = lay_out(label, slide, rng=rng)
    light = plate_image(slide) * transmittance(total_density(placed))
    jpeg = images.encode_jpeg(expose(light, slide, rng=rng))
    return PhantomImage(label, images.decode(jpeg), jpeg, visible_masks(placed))


def total_density(placed: Sequence[Placed]) -> Floats:
    """Add up the optical densities of all cells, float32 (HEIGHT_PX, WIDTH_PX, 3)."""
    total = np.zeros((HEIGHT_PX, WIDTH_PX, 3), dtype=np.float32)
    for item in placed:
        inside, part = _crop(item)
        total[inside.slices] += item.layer.density[part]
    return total


def visible_masks(placed: Sequence[Placed]) -> list[Mask]:
    """Return the masks of what is seen, in the order of ``placed``, the last one uppermost."""
    owner = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.int32)
    overlapping: set[int] = set()
    for number, item in enumerate(placed, start=1):
        inside, part = _crop(item)
        pixels = item.layer.pixels[part]
        under = np.unique(owner[inside.slices][pixels])
        if under.any():
            overlapping.update((number, *under[under > 0].tolist()))
        owner[inside.slices][pixels] = number
    found = (
        _mask(owner, number, item, number in overlapping)
        for number, item in enumerate(placed, start=1)
    )
    return [mask for mask in found if mask is not None]


def lay_out(label: str, slide: Slide, *, rng: np.random.Generator) -> list[Placed]:
    """Draw the cells of an image, bottom to top: red cells, stray platelets, the centred cell."""
    middle = np.array([HEIGHT_PX, WIDTH_PX]) / 2 + np.clip(rng.normal(0, 6, 2), -12, 12)
    centred = _centred(label, middle, slide, rng=rng)
    taken = _Taken(centred)
    wanted = int(np.clip(round(rng.normal(slide.red_cells, 2)), 10, 21))
    strays = [platelet(slide, rng.uniform(8, 15), rng=rng) for _ in range(rng.poisson(0.7))]
    reds = [red_cell(slide, rng=rng) for _ in range(wanted)]
    closeness = rng.choice([1.04, 0.98, 0.9, 0.65], wanted, p=[0.45, 0.3, 0.15, 0.1])
    beside = [
        taken.place(red, float(close), rng=rng) for red, close in zip(reds, closeness, strict=True)
    ]
    loose = [taken.place(stray, 1.02, rng=rng) for stray in strays]
    return [item for item in (*beside, *loose) if item is not None] + centred


def _centred(
    label: str, middle: NDArray[np.float64], slide: Slide, *, rng: np.random.Generator
) -> list[Placed]:
    """Draw the cell the image is about; platelets come alone or in a small clump."""
    if label != "PLT":
        return [_at(nucleated_cell(label, slide, rng=rng), middle)]
    first = platelet(slide, rng.uniform(17, 30), rng=rng)
    clump = [_at(first, middle)]
    for _ in range(int(rng.choice([0, 0, 0, 0, 0, 1, 2]))):
        other = platelet(slide, rng.uniform(11, 20), rng=rng)
        way = rng.uniform(0, 2 * np.pi)
        step = 0.85 * (first.half + other.half) * np.array([np.sin(way), np.cos(way)])
        clump.insert(0, _at(other, middle + step))
    return clump


class _Taken:
    """The room already taken: centres and radii of the cells placed so far, centred ones first."""

    def __init__(self, centred: Sequence[Placed]) -> None:
        self.fixed = len(centred)
        self.centres = [
            (float(item.top + item.layer.half), float(item.left + item.layer.half))
            for item in centred
        ]
        self.radii = [item.layer.radius for item in centred]

    def place(self, layer: Layer, closeness: float, *, rng: np.random.Generator) -> Placed | None:
        """Find room for ``layer``; None where there is none.

        ``closeness`` 1 keeps cells apart; below 1 the cell is put beside another, their centres
        as close as that share of the sum of their radii.
        """
        reach = layer.radius
        for _ in range(60):
            beside = closeness < 1 and len(self.radii) > self.fixed
            near = self._beside(reach, closeness, rng=rng) if beside else _anywhere(reach, rng=rng)
            if self._free(near, reach, closeness):
                self.centres.append((float(near[0]), float(near[1])))
                self.radii.append(reach)
                return _at(layer, near)
        return None

    def _beside(
        self, reach: float, closeness: float, *, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        other = int(rng.integers(self.fixed, len(self.radii)))
        way = rng.uniform(0, 2 * np.pi)
        step = (closeness + 0.02) * (self.radii[other] + reach)
        return np.array(self.centres[other]) + step * np.array([np.sin(way), np.cos(way)])

    def _free(self, centre: NDArray[np.float64], reach: float, closeness: float) -> bool:
        if not (-0.8 * reach < centre[0] < HEIGHT_PX + 0.8 * reach):
            return False
        if not (-0.8 * reach < centre[1] < WIDTH_PX + 0.8 * reach):
            return False
        away = np.hypot(*(np.array(self.centres) - centre).T)
        limit = np.array(self.radii) + reach
        limit[self.fixed :] *= closeness
        return bool((away >= limit).all())


def _anywhere(reach: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
    far = 0.6 * reach
    return rng.uniform(-far, (HEIGHT_PX + far, WIDTH_PX + far))


def at_border(box: Box) -> bool:
    """Whether ``box`` reaches a side of the image."""
    grown = box.grown(1)
    return grown.clipped(HEIGHT_PX, WIDTH_PX) != grown


def _at(layer: Layer, centre: NDArray[np.float64]) -> Placed:
    row, column = (int(value) for value in np.floor(centre))
    return Placed(layer, row - layer.half, column - layer.half)


def _crop(item: Placed) -> tuple[Box, tuple[slice, slice]]:
    """Return the part of the box inside the image, and the same part of the layer."""
    inside = item.box.clipped(HEIGHT_PX, WIDTH_PX)
    own = Box(inside.top - item.top, inside.left - item.left, inside.height, inside.width)
    return inside, own.slices


def _mask(owner: NDArray[np.int32], number: int, item: Placed, overlaps: bool) -> Mask | None:
    """Cut the visible pixels of one cell out of the owner image; None if hardly any are left."""
    inside, part = _crop(item)
    pixels = owner[inside.slices] == number
    if np.count_nonzero(pixels) < _MIN_VISIBLE_PX:
        return None
    tight = Box.around(pixels)
    pixels = pixels[tight.slices].copy()
    box = tight.moved(inside.top, inside.left)
    nucleus = item.layer.nucleus
    return Mask(
        kind=item.layer.kind,
        box=box,
        pixels=pixels,
        nucleus=None if nucleus is None else nucleus[part][tight.slices] & pixels,
        score=1.0,
        touches_border=at_border(box),
        reasons=("overlap",) if overlaps else (),
    )
