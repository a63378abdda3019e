"""Red blood cells: where one ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.segment.pallor import fill_pallor
from naturalize.segment.regions import find_boxes, label_areas, opened
from naturalize.segment.star_cells import StarCells, covered_shares, home_regions, paint

_THREAD = 0.12
_SPUR = 0.22
_OVERLAP = 0.08
_CORE = 0.88
_LOOSE = (1.25,)


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells as labels int32 (height, width), 0 outside, and what is known of each label.

    ``touching`` bool (labels + 1): whether the cell was cut from a clump; ``overlapping`` bool:
    whether a notable part of it lies over or under another; ``agreement`` float64: how well the
    votes for it agree, in [0, 1]. Some labels may have no pixel.
    """

    labels: NDArray[np.int32]
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
    regions, areas = label_areas(filled)
    home = home_regions(cells, regions, len(areas))
    alone = np.bincount(home, minlength=len(areas)) == 1
    labels = _layered(cells, filled)
    _keep_whole(labels, cells, np.where(np.take(alone, regions), regions, 0), home)
    if other is not None:
        labels[other] = 0
    _trim_spurs(labels, diameter_px)
    covered = covered_shares(cells, filled.shape) > _OVERLAP
    return RedCells(
        labels,
        np.append(False, ~alone[home]),
        np.append(False, covered),
        np.append(0.0, cells.agreement),
    )


def _layered(cells: StarCells, filled: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Lay the cells on the foreground; the middle of a cell is its own though it looks empty."""
    labels = paint(cells, filled.shape) * filled
    middle = paint(cells, filled.shape, margins=(_CORE,))
    return np.where(labels == 0, middle, labels)


def _keep_whole(
    labels: NDArray[np.int32],
    cells: StarCells,
    regions: NDArray[np.int32],
    home: NDArray[np.int64],
) -> None:
    """Give lone cells all of their ``regions``, in place, but what lies far off their outline."""
    number = np.zeros(int(max(regions.max(initial=0), home.max(initial=0))) + 1, np.int32)
    number[home] = np.arange(1, len(cells) + 1)
    number[0] = 0
    owner = np.take(number, regions)
    np.copyto(
        labels, owner, where=(owner > 0) & (paint(cells, labels.shape, margins=_LOOSE) == owner)
    )


def _trim_spurs(labels: NDArray[np.int32], diameter_px: float) -> None:
    """Take thin spurs from each cell, in place; where the image ends is no spur."""
    for number, place in enumerate(find_boxes(labels), start=1):
        if place is not None:
            own = labels[place] == number
            labels[place][own & ~opened(own, _SPUR * diameter_px)] = 0


def _without_threads(pixels: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the mask without slivers, tails and what hangs on by them."""
    return opened(pixels, _THREAD * diameter_px)
