"""A cell cut out of a train image, with the light it was seen in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface, in_planes, transmittance
from naturalize.segment import Kind

FULL = 255
"""Weight of the object's own pixels; the rim around it fades from here to 0."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """One object of a donor image.

    ``pixels`` are the donor's own uint8 values (h, w, 3) inside ``box``, which is the object's box
    grown by the rim. ``weight`` (h, w) uint8 is 255 on the object, falls to 0 across the rim and
    is 0 where the rim meets a neighbouring object. ``surface`` is the donor's bare slide over its
    whole canvas of ``donor_px`` (height, width). ``label`` is the class of the image's subject and
    empty for bystanders (red cells, platelets beside a leukocyte, other objects).
    """

    id: str
    kind: Kind
    label: str
    sample_id: str
    box: Box
    pixels: Rgb
    weight: NDArray[np.uint8]
    surface: PlateSurface
    donor_px: tuple[int, int]

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The object's own pixels, bool (h, w)."""
        own = np.asarray(self.weight == FULL)
        own.flags.writeable = False
        return own

    @property
    def own_box(self) -> Box:
        """Where the object lies on its donor, without its rim."""
        return Box.around(self.mask).moved(self.box.top, self.box.left)

    @cached_property
    def transmittance(self) -> NDArray[np.float32]:
        """I / I0, float32 (h, w, 3): the share of the light the cell lets through.

        In memory channel by channel, as everything is that composing computes.
        """
        planes = self.surface.evaluate_planes(self.box, *self.donor_px)
        light = transmittance(in_planes(self.pixels), planes).transpose(1, 2, 0)
        light.flags.writeable = False
        return light

    def emission(self) -> NDArray[np.float32]:
        """Return I - I0, float32 (h, w, 3): the light an object adds to a dark background."""
        return self.pixels - self.surface.evaluate_box(self.box, *self.donor_px)

    def rgba(self) -> NDArray[np.uint8]:
        """Return the paper's hard cut, uint8 (h, w, 4): opaque on the object, else transparent."""
        alpha = np.where(self.mask, np.uint8(255), np.uint8(0))
        return np.dstack([self.pixels, alpha])


def rim_weight(
    own: NDArray[np.bool_], objects: NDArray[np.bool_], *, rim_px: int
) -> NDArray[np.uint8]:
    """Return the weight of an object over a window around it, uint8.

    Both are bool of that window: ``own`` the object's pixels, ``objects`` all pixels that show an
    object. The rim keeps clear of other objects, so that no neighbour comes along; a
    fringe thinner than :func:`fringe_px` on either side is the object's own soft edge. The window
    should reach twice that beyond the rim, where neighbours show how thick they are.
    """
    fade = 1.0 - _distance_to(own) / (rim_px + 1)
    width = 2 * fringe_px(rim_px) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    rest = (objects & ~own).astype(np.uint8)
    foreign = cv2.morphologyEx(rest, cv2.MORPH_OPEN, disc) > 0
    if foreign.any():
        fade = np.minimum(fade, (_distance_to(foreign) - 1) / (rim_px + 1))
    weight = np.rint(np.clip(fade, 0, 1) * (FULL - 1))
    return np.where(own, FULL, weight).astype(np.uint8)


def fringe_px(rim_px: int) -> int:
    """Return half the width in px up to which stain beside an object is its own soft edge."""
    return rim_px // 2 + 1


def without_spurs(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece of a mask (h, w) with threads up to 2 px wide taken off.

    A mask that is nothing but threads stays as it is.
    """
    padded = np.pad(pixels.astype(np.uint8), 1)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    n, labels = cv2.connectedComponents(opened, connectivity=4)
    if n < 2:
        return pixels
    sizes = np.bincount(labels.ravel(), minlength=n)
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _distance_to(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance in px of each pixel to the nearest of ``pixels``, 0 on them."""
    away = (~pixels).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
