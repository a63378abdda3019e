"""A real image shown without one of its cells: what kept surroundings look like."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.blend import Layer, change_density
from naturalize.compose.canvas import inside
from naturalize.compose.recipe import Recipe
from naturalize.compose.rim import keep_halo
from naturalize.compose.scene import UNCHANGED, Density, Surroundings
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.cutouts.donor_objects import donor_objects
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import in_planes, transmittance

_BARE = np.float32(0.93)
"""Transmittance in all channels, and next to a pixel too, from which it shows bare slide."""


@dataclass(frozen=True, eq=False)
class KeptImage:
    """A real image to be shown without one of its cells, the ``hole``.

    ``picture`` is the image with its optical densities changed, uint8 (H, W, 3), to be drawn on.
    """

    hole: Cutout
    picture: Rgb

    @classmethod
    def of(cls, kept: Surroundings, bank: CutoutBank) -> KeptImage:
        """Read the image from the bank."""
        hole = bank.cutout(kept.without)
        picture = np.require(bank.picture(hole.sample_id), requirements=["C", "W"])
        _restain(picture, hole, kept.density)
        return cls(hole, picture)

    def slide(self, window: Box) -> NDArray[np.float32]:
        """Return its own bare slide inside ``window``, float32 (h, w, 3)."""
        planes = self.hole.surface.evaluate_planes(window, *self.hole.donor_px)
        return planes.transpose(1, 2, 0)

    def ground(
        self,
        bank: CutoutBank,
        recipe: Recipe,
        window: Box,
        plates: tuple[NDArray[np.float32], NDArray[np.float32]],
        subject: Layer,
    ) -> Layer:
        """Return what is kept of the image inside ``window``, to lie below all else.

        ``plates`` are the image's own bare slide there and the one it is shown on, float32
        (h, w, 3) each. Where slide shows, ``subject`` is laid over slide and noise of their own, as
        noise seen through a cell would be twice there.
        """
        own, shown = plates
        seen = in_planes(self.picture[window.slices])
        light = transmittance(seen, own.transpose(2, 0, 1)).transpose(1, 2, 0)
        weight = np.full(light.shape[:2], FULL, dtype=np.uint8)
        weight[inside(window, self.hole.box)] -= _taken_out(bank, self.hole, halo=recipe.halo)
        below = inside(window, subject.box)
        rest = (FULL - subject.weight).astype(np.uint16)
        through = (weight[below] * rest) // FULL
        weight[below] = np.where(_shows_slide(light[below]), through, weight[below])
        pixels = light if recipe.blend == "transmittance" else shown * light
        return Layer(Box(0, 0, window.height, window.width), light, pixels, weight, ground=True)


def _restain(picture: Rgb, hole: Cutout, density: Density) -> None:
    """Multiply the optical densities of an image in place, by one table for each channel.

    They are told against the slide at the middle of ``hole``: a slide is lit so evenly that it
    matters nowhere, least where it is to fill the hole.
    """
    if density == UNCHANGED:
        return
    box = hole.box
    middle = Box(box.top + box.height // 2, box.left + box.width // 2, 1, 1)
    slide = hole.surface.evaluate_box(middle, *hole.donor_px)
    levels = np.arange(256, dtype=np.float32)[None, :, None]
    changed = np.minimum(change_density(levels / slide, density) * slide, 255)
    cv2.LUT(picture, np.rint(changed).astype(np.uint8), dst=picture)


def _taken_out(bank: CutoutBank, hole: Cutout, *, halo: bool) -> NDArray[np.uint8]:
    """Return the weight by which a cell is taken out of its image, uint8 of the shape of its box.

    A cutout keeps clear of whatever stain is near, so slivers of the cell's own edge would stay
    behind: within two pixels of it all goes that is not known to be another object's.
    """
    weight = keep_halo(hole.weight) if halo else hole.weight
    near = cv2.dilate(hole.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    others = np.zeros(hole.donor_px, dtype=np.bool_)
    for one in donor_objects(bank, hole.sample_id, near=hole.box):
        if one.id != hole.id:
            others[one.box.slices] |= one.pixels
    near &= ~others[hole.box.slices]
    return np.where(near & (weight < FULL), np.uint8(FULL - 1), weight)


def _shows_slide(light: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels of light (h, w, 3) show bare slide, as do those around them."""
    bare = np.asarray((light > _BARE).all(axis=2), dtype=np.uint8)
    return np.asarray(cv2.erode(bare, np.ones((3, 3), np.uint8)) > 0)
