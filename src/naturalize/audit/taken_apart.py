"""A test image taken apart in memory: its cell, what surrounds it, the bare slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cut_image import RIM_SHARE, cut_image, find_subject, usual_diameter
from naturalize.cutouts.plate import Plate
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.segment import Smear

NO_CELL = "no cell found at the centre"
NO_SLIDE = "too little bare slide to tell what lies below the cell"

Weight = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TakenApart:
    """What is kept of one test image to show it otherwise.

    ``shown`` and ``erased``, float32 of the shape of ``box``, say how far a pixel is the cell's
    when the cell is shown alone, and how far it has to go when the cell is taken away: more, so
    that no sliver of it stays. Neither touches another object. ``source`` names the acquisition
    source where it is not the main one.
    """

    root: Path
    sample: Sample
    source: str
    plate: Plate
    box: Box
    shown: Weight
    erased: Weight

    def picture(self) -> Rgb:
        """Return the image as it is."""
        return read_sample(self.root, self.sample)

    def slide(self) -> NDArray[np.float32]:
        """Return the bare slide with its noise, float32 (H, W, 3), the same at every call."""
        size = self.plate.height_px, self.plate.width_px
        rng = child(0, "slide", self.sample.sha256)
        return self.plate.surface.evaluate(*size) + self.plate.noise(*size, rng=rng)


def take_apart(root: Path, sample: Sample, source: str = "") -> TakenApart | str:
    """Find the cell of a test image and what lies below it, or say why that cannot be."""
    rgb = read_sample(root, sample)
    masks = Smear().segment(rgb)
    subject = find_subject(masks, (rgb.shape[0], rgb.shape[1]))
    if subject is None:
        return NO_CELL
    plate = cut_image(sample.id, sample.label, rgb, masks).plate
    if plate is None:
        return NO_SLIDE
    rim = max(2, round(RIM_SHARE * usual_diameter(masks)))
    own = masks[subject].to_image(rgb.shape)
    others = np.zeros_like(own)
    for mask in masks[:subject] + masks[subject + 1 :]:
        others[mask.box.slices] |= mask.pixels
    box = masks[subject].box.grown(2 * rim).clipped(rgb.shape[0], rgb.shape[1])
    away = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    free = ~others[box.slices]
    shown, erased = (
        np.clip(1 - (away[box.slices] - whole) / rim, 0, 1).astype(np.float32) * free
        for whole in (0, rim)
    )
    return TakenApart(root, sample, source, plate, box, shown, erased)


def sources_of(findings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the source of each image that curation found to come from another than most.

    ``findings`` are rows of ``findings.csv``; images of one source have one reason.
    """
    return {row["path"]: row["reason"] for row in findings if row["kind"] == "source"}
