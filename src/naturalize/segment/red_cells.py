"""Red blood cells: where one ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.pallor import fill_pallor
from naturalize.segment.red_cell_size import red_cell_diameter
from naturalize.segment.regions import label_regions
from naturalize.segment.star_cells import MARGINS, StarCells, covered_shares, home_regions, paint

__all__ = ["RedCells", "red_cell_diameter", "split_red_cells"]

_THREAD = 0.12
_OVERLAP = 0.08
_CORE = 0.88
_LOOSE = (1.25,)


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells as labels int32 (height, width), 0 outside, and what is known of each label.

    ``touching`` bool (labels + 1): whether the cell was cut from a clump; ``overlapping`` bool:
    whether a notable part of it lies over or under another; ``plain`` float64: how sure its outline
    is, in [0, 1]. Some labels may have no pixel.
    """

    labels: NDArray[np.int32]
    touching: NDArray[np.bool_]
    overlapping: NDArray[np.bool_]
    plain: NDArray[np.float64]


def split_red_cells(
    foreground: NDArray[np.bool_],
    cells: StarCells,
    diameter_px: float,
    *,
    other: NDArray[np.bool_] | None = None,
) -> RedCells:
    """Cut ``foreground`` into ``cells``.

    A region with one cell is that cell, but for what lies far from its outline; one with several is
    parted by their outlines, and where two overlap, the surer one is on top and keeps all of the
    overlap. Regions without a cell, and threads far thinner than a cell, are none. ``other`` marks
    pixels of other objects.
    """
    filled = _without_threads(fill_pallor(foreground, diameter_px), diameter_px)
    region_of, stats = label_regions(filled)
    home = home_regions(cells, region_of, len(stats))
    alone = np.bincount(home, minlength=len(stats)) == 1
    labels = paint(cells, filled.shape, margins=MARGINS) * filled
    loose = paint(cells, filled.shape, margins=_LOOSE)
    single = np.take(alone, region_of) & (region_of > 0)
    number = np.zeros(len(stats), np.int32)
    number[home] = np.arange(1, len(cells) + 1)
    owner = np.take(number, region_of)
    labels = np.where(single & (loose == owner), owner, labels)
    core = paint(cells, filled.shape, margins=(_CORE,))
    labels = np.where(labels == 0, core, labels)
    if other is not None:
        labels[other] = 0
    touching = np.r_[False, ~alone[home]]
    covered = np.r_[0.0, covered_shares(cells, filled.shape)] if len(cells) else np.zeros(1)
    return RedCells(
        labels.astype(np.int32), touching, covered > _OVERLAP, np.r_[0.0, cells.agreement]
    )


def _without_threads(pixels: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the mask without slivers, tails and what hangs on by them."""
    side = max(1, round(_THREAD * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0)
