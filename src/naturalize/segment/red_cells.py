"""Red blood cells: where one ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.segment.pallor import fill_pallor
from naturalize.segment.regions import find_boxes, number_regions, opened, tightened
from naturalize.segment.star_cells import StarCells, covered_shares, home_regions, paint

_THREAD = 0.12
_SPUR = 0.22
_OVERLAP = 0.08
_CORE = 0.88
_LOOSE = (1.25,)


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells as labels int32 (height, width), 0 outside, and what is known of each label.

    ``boxes`` are the rows and columns of each label from 1 on, None for one that has no pixel;
    ``touching`` bool (labels + 1): whether the cell was cut from a clump; ``overlapping`` bool:
    whether a notable part of it lies over or under another; ``agreement`` float64: how well the
    votes for it agree, in [0, 1].
    """

    labels: NDArray[np.int32]
    boxes: list[tuple[slice, slice] | None]
    touching: NDArray[np.bool_]
    overlapping: NDArray[np.bool_]
    agreement: NDArray[np.float64]


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
    regions, n_regions = number_regions(filled)
    home = home_regions(cells, regions, n_regions + 1)
    alone = np.bincount(home, minlength=n_regions + 1) == 1
    labels = _with_whole(_layered(cells, filled), cells, regions, np.where(alone[home], home, 0))
    if other is not None:
        labels[other] = 0
    boxes = _trim_spurs(labels, diameter_px)
    covered = covered_shares(cells, filled.shape) > _OVERLAP
    return RedCells(
        labels,
        boxes,
        np.append(False, ~alone[home]),
        np.append(False, covered),
        np.append(0.0, cells.agreement),
    )


def _layered(cells: StarCells, filled: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Lay the cells on the foreground; the middle of a cell is its own though it looks empty."""
    labels = paint(cells, filled.shape)
    labels *= filled
    middle = paint(cells, filled.shape, margins=(_CORE,))
    return np.where(labels == 0, middle, labels)


def _with_whole(
    labels: NDArray[np.int32],
    cells: StarCells,
    regions: NDArray[np.int32],
    own: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return labels with all of its region, but what lies far off its outline, for a lone cell.

    ``own`` int64 (n,) is the region of each cell that has one for itself, 0 for the others.
    """
    number = np.zeros(int(regions.max(initial=0)) + 1, np.int32)
    number[own] = np.arange(1, len(cells) + 1)
    number[0] = 0
    owner = np.take(number, regions)
    loose = paint(cells, labels.shape, margins=_LOOSE)
    return np.where((owner > 0) & (loose == owner), owner, labels)


def _trim_spurs(labels: NDArray[np.int32], diameter_px: float) -> list[tuple[slice, slice] | None]:
    """Take thin spurs from each cell, in place, and return their boxes.

    Where the image ends is no spur.
    """
    boxes = find_boxes(labels)
    for i, place in enumerate(boxes):
        if place is not None:
            own = labels[place] == i + 1
            kept = own & opened(own, _SPUR * diameter_px)
            labels[place][own & ~kept] = 0
            boxes[i] = tightened(place, kept)
    return boxes


def _without_threads(pixels: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the mask without slivers, tails and what hangs on by them."""
    return opened(pixels, _THREAD * diameter_px)
