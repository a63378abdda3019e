"""Platelets: what the network takes for them, one by one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cell_net import SEEN, Sight
from naturalize.segment.regions import fill_holes, label_areas, near
from naturalize.segment.star_cells import find_star_cells, part_regions

_BEYOND = 0.08
_LEAST_AREA = 0.015
_LEAST_VOTES = 12


def find_platelets(shown: NDArray[np.uint8], sight: Sight, diameter_px: float) -> NDArray[np.int32]:
    """Return platelets as labels int32 (height, width), 0 outside.

    ``shown`` uint8 (height, width) tells what each pixel shows, by its place in ``SEEN``;
    ``diameter_px`` is that of a red cell.
    """
    own = fill_holes(shown == SEEN.index("PLT"))
    regions, area = label_areas(own)
    small = area < _LEAST_AREA * np.pi / 4 * diameter_px**2
    small[0] = True
    labels = np.where(np.take(small, regions), 0, regions).astype(np.int32)
    return part_regions(labels, find_star_cells(sight, "PLT"), _LEAST_VOTES)


def with_haze(platelets: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return platelets with the blurred stain around them, which is no other cell either."""
    return near(platelets, _BEYOND * diameter_px)
