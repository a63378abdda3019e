"""Red blood cells: where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.pallor import fill_pallor
from naturalize.segment.regions import find_boxes, inner_distance, number_regions, opened, tightened
from naturalize.segment.star_cells import (
    Inside,
    StarCells,
    covered_shares,
    home_regions,
    insides,
    paint,
)

Window = tuple[slice, slice]
_THREAD = 0.12
_SPUR = 0.22
_OVERLAP = 0.08
_CORE = 0.88
_LOOSE = (1.25,)
_RIM, _RING = 0.06, 0.18
"""How deep blur may reach into a cell, and how deep it is told how much the cell absorbs."""
_HALF = 0.5
_EVERY = 2


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells as labels int32 (height, width), 0 outside, and what is known of each label.

    ``boxes`` are the rows and columns of each label from 1 on, None for one that has no pixel;
    ``touching`` bool (labels + 1): whether the cell was cut from a clump; ``overlapping`` bool:
    whether a notable part of it lies over or under another; ``agreement`` float64: how well the
    votes for it agree, in [0, 1]. ``whole`` holds the cells that lie over or under another, by
    label, what they share included, as it is seen through: where, and bool (height, width) there.
    """

    labels: NDArray[np.int32]
    boxes: list[Window | None]
    touching: NDArray[np.bool_]
    overlapping: NDArray[np.bool_]
    agreement: NDArray[np.float64]
    whole: Mapping[int, tuple[Window, NDArray[np.bool_]]]


def split_red_cells(
    foreground: NDArray[np.bool_],
    cells: StarCells,
    diameter_px: float,
    *,
    other: NDArray[np.bool_] | None = None,
    density: NDArray[np.float32] | None = None,
) -> RedCells:
    """Cut ``foreground`` into ``cells``.

    A region with one cell is that cell, but for what lies far from its outline; one with several is
    parted by their outlines, and where two overlap, the surer one is on top and its label keeps all
    of the overlap. Regions without a cell, and threads far thinner than a cell, are none. ``other``
    marks pixels of other objects. With ``density``, what each pixel absorbs, a cell ends on the
    slide where it absorbs half of what it does further in.
    """
    filled = _without_threads(fill_pallor(foreground, diameter_px), diameter_px)
    regions, n_regions = number_regions(filled)
    home = home_regions(cells, regions, n_regions + 1)
    alone = np.bincount(home, minlength=n_regions + 1) == 1
    labels = _with_whole(_layered(cells, filled), cells, regions, np.where(alone[home], home, 0))
    if other is not None:
        labels[other] = 0
    if density is not None:
        labels[_faint_rims(labels, density, other, diameter_px)] = 0
    solid = labels > 0
    boxes = _trim_spurs(labels, diameter_px)
    outlined = insides(cells, filled.shape)
    overlapping = np.append(False, covered_shares(outlined, filled.shape) > _OVERLAP)
    return RedCells(
        labels,
        boxes,
        np.append(False, ~alone[home]),
        overlapping,
        np.append(0.0, cells.agreement),
        _seen_through(labels, boxes, solid, outlined, overlapping, diameter_px),
    )


def _faint_rims(
    labels: NDArray[np.int32],
    density: NDArray[np.float32],
    other: NDArray[np.bool_] | None,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return the outermost pixels of cells, where they meet the slide, that are rather slide.

    The foreground reaches as far as anything absorbs, blur and halo included; a cell's edge lies
    where density is half of that a little further in.
    """
    slide = labels == 0 if other is None else (labels == 0) & ~other
    depth = inner_distance(~slide) / np.float32(diameter_px)
    some = np.s_[::_EVERY, ::_EVERY]
    deep, n_labels = depth[some], int(labels.max(initial=0)) + 1
    ring = (deep > _RIM) & (deep < _RING)
    ringed = labels[some][ring]
    total = np.bincount(ringed, density[some][ring], minlength=n_labels)
    least = _HALF * total / np.maximum(np.bincount(ringed, minlength=n_labels), 1)
    rim = (labels > 0) & (depth <= _RIM)
    rim[rim] = density[rim] < least[labels[rim]]
    return rim


def _seen_through(
    labels: NDArray[np.int32],
    boxes: list[Window | None],
    solid: NDArray[np.bool_],
    outlined: list[Inside],
    overlapping: NDArray[np.bool_],
    diameter_px: float,
) -> dict[int, tuple[Window, NDArray[np.bool_]]]:
    """Return each overlapping cell with what it shares: what is ``solid`` within its outline."""
    found = {}
    canvas = np.zeros(labels.shape, dtype=np.bool_)
    for number, ((place, inside), own) in enumerate(zip(outlined, boxes, strict=False), start=1):
        if own is not None and overlapping[number]:
            window = Box.of(own).joined(place).slices
            canvas[place.slices] = (inside > 0) & solid[place.slices]
            canvas[own] |= labels[own] == number
            found[number] = window, opened(canvas[window], _SPUR * diameter_px)
            canvas[window] = False
    return found


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


def _trim_spurs(labels: NDArray[np.int32], diameter_px: float) -> list[Window | None]:
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
