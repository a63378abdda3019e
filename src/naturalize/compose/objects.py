"""Which pixels of a composite show which object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved_weight
from naturalize.compose.canvas import inside
from naturalize.compose.placement import orient
from naturalize.compose.scene import Placement, Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.cutouts.donor_objects import donor_objects
from naturalize.geometry import Box
from naturalize.segment import Kind

A = TypeVar("A", bound=np.generic)
Part = tuple[Box, NDArray[np.bool_]]
"""Where an object lies on the canvas, and its own pixels there, bool of the box's shape."""


@dataclass(frozen=True, eq=False)
class PlacedObject:
    """One object of a composite as far as it is seen.

    ``number`` counts placements from 1: of two objects that overlap, the one with the larger number
    lies on top. Objects of kept surroundings are counted after them and lie below. ``category`` is
    the class of the image's subject, else the kind. ``pixels`` is bool of the shape of ``box``,
    which fits them closely.
    """

    number: int
    cutout: str
    kind: Kind
    category: str
    box: Box
    pixels: NDArray[np.bool_]


def label_map(shape: tuple[int, ...], parts: Iterable[Part]) -> NDArray[np.uint16]:
    """Return uint16 (H, W): 0 bare slide, n the pixels of part n, a later part above earlier ones.

    >>> own = np.ones((1, 2), dtype=bool)
    >>> label_map((1, 4), [(Box(0, 0, 1, 2), own), (Box(0, 1, 1, 2), own)]).tolist()
    [[1, 2, 2, 0]]
    """
    labels = np.zeros(shape[:2], dtype=np.uint16)
    for number, (box, own) in enumerate(parts, start=1):
        np.copyto(labels[box.slices], number, where=own)
    return labels


def visible_box(placement: Placement, shape: tuple[int, ...], canvas: tuple[int, ...]) -> Box:
    """Return the part of a ``canvas`` that a placed cutout of ``shape`` covers; may be empty."""
    height_px, width_px = shape[:2] if placement.turns % 2 == 0 else shape[1::-1]
    return Box(placement.top, placement.left, height_px, width_px).clipped(canvas[0], canvas[1])


def visible(placement: Placement, array: NDArray[A], seen: Box) -> NDArray[A]:
    """Return an array (h, w, ...) of a cutout as placed: oriented, cut to its visible box."""
    oriented = orient(array, placement.turns, placement.flip)
    return oriented[inside(Box(placement.top, placement.left, *oriented.shape[:2]), seen)]


def placed_objects(
    scene: Scene, bank: CutoutBank, *, disjoint: bool
) -> tuple[tuple[PlacedObject, ...], NDArray[np.uint16]]:
    """Return the objects of a scene that are seen, and its label map.

    ``disjoint`` gives each pixel to the object on top; otherwise one seen through another keeps
    its pixels, as in transmitted light.
    """
    shape = (scene.height_px, scene.width_px)
    parts = _neighbours(scene, bank)
    for placement in scene.placements:
        weight = bank.cutout(placement.cutout).weight
        mask = moved_weight(weight, placement.variation) == FULL
        row, box = bank.by_id[placement.cutout], visible_box(placement, mask.shape, shape)
        parts.append((row.id, row.kind, row.label, (box, visible(placement, mask, box))))
    below, own = len(parts) - len(scene.placements), len(scene.placements)
    order = label_map(shape, (part for *_, part in parts))
    numbers = np.array([0, *range(own + 1, own + below + 1), *range(1, own + 1)], np.uint16)
    found = []
    for place, (name, kind, label, (box, mask)) in enumerate(parts, start=1):
        pixels = mask & (order[box.slices] == place) if disjoint else mask
        if pixels.any():
            number = int(numbers[place])
            found.append(PlacedObject(number, name, kind, label or kind, *_fitted(box, pixels)))
    return tuple(sorted(found, key=lambda one: one.number)), numbers[order]


def _neighbours(scene: Scene, bank: CutoutBank) -> list[tuple[str, Kind, str, Part]]:
    """Return id, kind, no class and place of what kept surroundings show."""
    if scene.surroundings is None:
        return []
    kinds: dict[str, Kind] = {"WBC": "WBC", "RBC": "RBC", "PLT": "PLT", "OBJ": "OBJ"}
    return [
        (one.id, kinds[one.kind], "", (one.box, one.pixels))
        for one in donor_objects(bank, bank.by_id[scene.surroundings.without].sample_id)
        if one.id != scene.surroundings.without and one.kind in kinds
    ]


def _fitted(box: Box, pixels: NDArray[np.bool_]) -> Part:
    """Return the smallest box around the pixels, and the pixels in it."""
    close = Box.around(pixels)
    return close.moved(box.top, box.left), pixels[close.slices]
