"""What a picture shows: the one cell it was taken of, or every cell of a field of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from naturalize.cutouts.cut_image import find_subject
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask, Smear

QUICK_PIXELS = 45_000
"""A picture of one cell is looked at this small first: places stay right to 2 px in nine of ten."""
WHOLE_CELL = 0.65
"""Smaller than any nucleated cell, larger than most giant platelets; in red cells."""


@dataclass(frozen=True, eq=False)
class Found:
    """The masks of a picture and how large its red cells are, None where none is whole.

    ``subject`` is the place among ``masks`` of the cell that the picture was taken of.
    """

    masks: Sequence[Mask]
    diameter_px: float | None
    subject: int | None

    def others(self, around: Box) -> int:
        """Count further whole nucleated cells that lie mostly in ``around``."""
        disc = np.pi / 4 * (self.diameter_px or 0) ** 2
        return sum(
            number != self.subject
            and mask.kind == "WBC"
            and not mask.touches_border
            and mask.area_px >= WHOLE_CELL * disc
            and _centre_in(mask.box, around)
            for number, mask in enumerate(self.masks)
        )


def find_cell(rgb: Rgb, segmenter: Smear) -> Found:
    """Find the cell a picture shows: the nucleated cell or platelet at its centre, or else the
    largest nucleated cell, or else the largest platelet.
    """
    quick = replace(segmenter, max_pixels=min(QUICK_PIXELS, segmenter.max_pixels))
    masks = quick.segment(rgb)
    if not any(mask.kind != "RBC" for mask in masks):
        masks = segmenter.segment(rgb)
    subject = find_subject(masks, rgb.shape[:2])
    if subject is None:
        ranked = [(m.kind == "WBC", m.area_px, n) for n, m in enumerate(masks) if m.kind != "RBC"]
        subject = max(ranked)[2] if ranked else None
    return Found(masks, diameter_of(masks), subject)


def diameter_of(masks: Sequence[Mask]) -> float | None:
    """Return the median diameter in px of whole red cells, None where there is none."""
    areas = [m.area_px for m in masks if m.kind == "RBC" and not m.touches_border]
    return 2 * float(np.sqrt(np.median(areas) / np.pi)) if areas else None


def _centre_in(box: Box, around: Box) -> bool:
    row, column = box.top + box.height / 2, box.left + box.width / 2
    return around.top <= row < around.bottom and around.left <= column < around.right
