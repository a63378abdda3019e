"""A cell cut out of a train image, with the light it was seen in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface, transmittance
from naturalize.segment import Kind, Mask

FULL = 255
"""Weight of the object's own pixels; the rim around it fades from here to 0."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """One object of a donor image.

    ``pixels`` are the donor's own uint8 values (h, w, 3) inside ``box``, which is the object's box
    grown by the rim. ``weight`` (h, w) uint8 is 255 on the object, falls to 0 across the rim and
    is 0 where the rim meets a neighbouring object. ``surface`` is the donor's bare slide over its
    whole canvas of ``donor_px`` (height, width). ``label`` is the class of the image's subject and
    empty for bystanders (red cells, platelets beside a leukocyte).
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

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object's own pixels, bool (h, w)."""
        return np.asarray(self.weight == FULL)

    def transmittance(self) -> NDArray[np.float32]:
        """Return I / I0, float32 (h, w, 3): the share of the light the cell lets through."""
        return transmittance(self.pixels, self.surface.evaluate_box(self.box, *self.donor_px))

    def rgba(self) -> NDArray[np.uint8]:
        """Return the paper's hard cut, uint8 (h, w, 4): opaque on the object, else transparent."""
        alpha = np.where(self.mask, np.uint8(255), np.uint8(0))
        return np.dstack([self.pixels, alpha])


def rim_weight(
    mask: Mask, others: NDArray[np.bool_], box: Box, *, rim_px: int
) -> NDArray[np.uint8]:
    """Return the weight of ``mask`` over ``box`` (its own box grown by the rim, clipped).

    ``others`` is bool over the whole image: everything that is neither this object nor bare slide.
    The rim keeps clear of it, so that no neighbour comes along.
    """
    own = mask.to_image(others.shape)[box.slices]
    outside = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    fade = 1.0 - outside / (rim_px + 1)
    foreign = others[box.slices] & ~own
    if foreign.any():
        clear = cv2.distanceTransform((~foreign).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        fade = np.minimum(fade, (clear - 1) / (rim_px + 1))
    weight = np.rint(np.clip(fade, 0, 1) * (FULL - 1))
    return np.where(own, FULL, weight).astype(np.uint8)
