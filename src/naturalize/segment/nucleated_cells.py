"""Nucleated cells whole: what the network takes for them, parted where several touch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cell_net import SEEN, Sight
from naturalize.segment.nucleus import PurpleParts
from naturalize.segment.regions import fill_holes, label_regions, opened
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
    own = fill_holes(opened(shown == SEEN.index("WBC"), _THREAD * diameter_px))
    regions, stats = label_regions(own)
    area = stats[:, cv2.CC_STAT_AREA] / (np.pi / 4 * diameter_px**2)
    nuclear = np.bincount(regions[parts.nuclei > 0], minlength=len(area)) > 0
    kept = (area > np.where(nuclear, _LEAST_AREA, _BARE_AREA)) & (np.arange(len(area)) > 0)
    labels = np.where(np.take(kept, regions), regions, 0).astype(np.int32)
    return part_regions(labels, find_star_cells(sight, "WBC"), _LEAST_VOTES)
