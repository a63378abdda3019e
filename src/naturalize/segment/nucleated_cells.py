"""Nucleated cells whole: the curve around the nucleus, then what the curve left over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.cell_rest import take_rest
from naturalize.segment.cytoplasm import Likeness, learn_likeness
from naturalize.segment.nucleus import PurpleParts
from naturalize.segment.outline import outline_cell
from naturalize.segment.regions import find_boxes, inner_distance, near, solidity
from naturalize.segment.stain import Stain

_SURROUNDINGS = (0.5, 1.5)
_PLATELET_RIM = 0.12
_LONG_BORDER = 0.6
_ROUND = 0.94


def find_cells(stain: Stain, parts: PurpleParts, diameter_px: float) -> NDArray[np.int32]:
    """Return nucleated cells as labels int32 (height, width), numbered as their nuclei.

    A pixel that two cells could have goes to the nearer nucleus; two nuclei in one round cell
    share the lower number. ``diameter_px`` is that of a red cell.
    """
    cells = np.zeros_like(parts.nuclei)
    nearest = np.full(cells.shape, np.inf, dtype=np.float32)
    colours = []
    for number in range(1, int(parts.nuclei.max()) + 1):
        nucleus = parts.nuclei == number
        others = (parts.nuclei > 0) & ~nucleus
        distance = inner_distance(~nucleus)
        colours.append(learn_likeness(stain, distance, others, diameter_px))
        pixels = outline_cell(stain, nucleus, others, distance, colours[-1], diameter_px)
        closer = pixels & (distance < nearest)
        cells[closer] = number
        nearest[closer] = distance[closer]
    for number, place in enumerate(find_boxes(cells), start=1):
        if place is not None:
            _complete(number, place, cells, parts, stain, colours[number - 1], diameter_px)
    return _halves_joined(cells) if len(colours) > 1 else cells


def _around(
    place: tuple[slice, ...], shape: tuple[int, ...], margin_px: float
) -> tuple[slice, slice]:
    """Return the rows and columns of ``place`` with a margin, within an image of ``shape``."""
    rows, columns = place
    box = Box(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
    return box.grown(round(margin_px)).clipped(shape[0], shape[1]).slices


def _complete(
    number: int,
    place: tuple[slice, ...],
    cells: NDArray[np.int32],
    parts: PurpleParts,
    stain: Stain,
    colour: Likeness,
    diameter_px: float,
) -> None:
    """Give cell ``number`` the rest that the curve around its nucleus left; changes ``cells``.

    Where the cell, at ``place``, seems to go on beyond its surroundings, more of them is looked at.
    """
    for margin in _SURROUNDINGS:
        around = _around(place, cells.shape, margin * diameter_px)
        window, here = cells[around], parts.window(around)
        own = window == number
        taken = here.others | ((window > 0) & ~own)
        taken |= near(here.others, _PLATELET_RIM * diameter_px) & ~own
        nucleus = here.nuclei == number
        whole = take_rest(own, nucleus, taken, stain.window(around), colour, diameter_px)
        if not _is_open(whole, around, cells.shape):
            break
    window[own] = 0
    window[whole] = number


def _is_open(cell: NDArray[np.bool_], around: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    """Whether a cell touches a side of its window that is not the image's own."""
    rows, columns = around
    inner = (rows.start > 0, rows.stop < shape[0], columns.start > 0, columns.stop < shape[1])
    sides = (cell[0], cell[-1], cell[:, 0], cell[:, -1])
    return any(is_inner and bool(side.any()) for is_inner, side in zip(inner, sides, strict=True))


def _halves_joined(cells: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give cells that make one round cell together, along a long common border, one number."""
    joined = cells.copy()
    for one, other, length in _common_borders(cells):
        pair = (joined == joined[cells == one][0]) | (joined == joined[cells == other][0])
        smaller = min(np.count_nonzero(cells == one), np.count_nonzero(cells == other))
        if length > _LONG_BORDER * 2 * (smaller / np.pi) ** 0.5 and solidity(pair) > _ROUND:
            joined[pair] = min(one, other)
    return joined


def _common_borders(labels: NDArray[np.int32]) -> list[tuple[int, int, int]]:
    """Return pairs of labels that touch, and along how many pixels."""
    pairs = []
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = (one != other) & (one > 0) & (other > 0)
        pairs.append(np.sort(np.stack([one[meet], other[meet]], axis=1), axis=1))
    found, counts = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return [(int(i), int(j), int(n)) for (i, j), n in zip(found, counts, strict=True)]
