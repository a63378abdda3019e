"""Nucleated cells whole: what the network takes for them, parted where several touch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cell_net import SEEN, Sight
from naturalize.segment.nucleus import PurpleParts
from naturalize.segment.regions import fill_holes, label_regions
from naturalize.segment.star_cells import find_star_cells, part_regions

_THREAD = 0.1
_LEAST_AREA = 0.3
_BARE_AREA = 0.7
_LEAST_VOTES = 50


def find_cells(
    shown: NDArray[np.uint8], sight: Sight, parts: PurpleParts, diameter_px: float
) -> NDArray[np.int32]:
    """Return nucleated cells as labels int32 (height, width), 0 outside.

    ``shown`` uint8 (height, width) tells what each pixel shows, by its place in ``SEEN``. A small
    region without a nucleus is none. ``diameter_px`` is that of a red cell.
    """
    side = max(1, round(_THREAD * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    own = (shown == SEEN.index("WBC")).view(np.uint8)
    own = fill_holes(cv2.morphologyEx(own, cv2.MORPH_OPEN, disc) > 0)
    regions, stats = label_regions(own)
    area = stats[:, cv2.CC_STAT_AREA] / (np.pi / 4 * diameter_px**2)
    nuclear = np.bincount(regions[parts.nuclei > 0], minlength=len(area)) > 0
    kept = (area > np.where(nuclear, _LEAST_AREA, _BARE_AREA)) & (np.arange(len(area)) > 0)
    labels = np.where(np.take(kept, regions), regions, 0).astype(np.int32)
    return part_regions(labels, find_star_cells(sight, "WBC"), _LEAST_VOTES)
