"""Every cell of a field of view or a large photograph, in tiles where it must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from naturalize.classify.find_cells import diameter_of
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask, Smear

SHARP_DIAMETER_PX = 30
"""Red cells that are this wide on a reduced picture are segmented as well as on the whole one."""
TILE_PX = 1200
OVERLAP = 3.0
"""Of neighbouring tiles, in red cells: more than any cell is wide."""
_LEAST_FREE = 0.5


def field_masks(rgb: Rgb, segmenter: Smear) -> list[Mask]:
    """Return the masks of all cells, nucleated cells first.

    A picture of more than ``segmenter.max_pixels`` is looked at reduced where its red cells stay
    wide enough, or where it shows none; else it is cut into tiles that overlap by more than a cell.
    A cell belongs to the tile whose inner part holds its centre.
    """
    shrink = (segmenter.max_pixels / (rgb.shape[0] * rgb.shape[1])) ** 0.5
    diameter = None if shrink >= 1 else _probed_diameter(rgb, segmenter)
    if diameter is None or diameter * shrink >= SHARP_DIAMETER_PX:
        masks = segmenter.segment(rgb)
    else:
        masks = list(_tiled(rgb, round(OVERLAP * diameter), segmenter))
    return sorted(masks, key=lambda mask: mask.kind != "WBC")


def _probed_diameter(rgb: Rgb, segmenter: Smear) -> float | None:
    """Return how wide red cells are in the tile nearest to the middle that shows any."""
    height, width = rgb.shape[:2]

    def off_centre(tile: Box) -> float:
        row, column = tile.top + tile.height / 2, tile.left + tile.width / 2
        return float(abs(row - height / 2) + abs(column - width / 2))

    for tile in sorted((tile for _, tile in tiles(height, width, 0)), key=off_centre):
        found = diameter_of(segmenter.segment(np.ascontiguousarray(rgb[tile.slices])))
        if found is not None:
            return found
    return None


def tiles(height_px: int, width_px: int, overlap_px: int) -> Iterator[tuple[Box, Box]]:
    """Yield (inner part, tile) of each tile; inner parts cover the picture without overlap.

    >>> [inner.left for inner, _ in tiles(1000, 2400, 200)]
    [0, 800, 1600]
    """
    rows, columns = (-(-side // _steps(side)) for side in (height_px, width_px))
    for top in range(0, height_px, rows):
        for left in range(0, width_px, columns):
            inner = Box(top, left, rows, columns).clipped(height_px, width_px)
            yield inner, inner.grown(overlap_px // 2).clipped(height_px, width_px)


def _steps(side_px: int) -> int:
    return max(1, round(side_px / (0.7 * TILE_PX)))


def _tiled(rgb: Rgb, overlap_px: int, segmenter: Smear) -> Iterator[Mask]:
    """Yield the masks of all tiles; a pixel that two tiles claim belongs to the first."""
    taken = np.zeros(rgb.shape[:2], dtype=np.bool_)
    for inner, tile in tiles(rgb.shape[0], rgb.shape[1], overlap_px):
        before = taken[tile.slices].copy()
        for mask in _tile_masks(rgb, inner, tile, segmenter):
            top, left = mask.box.top - tile.top, mask.box.left - tile.left
            theirs = before[top : top + mask.box.height, left : left + mask.box.width]
            free = mask.pixels & ~theirs
            if np.count_nonzero(free) > _LEAST_FREE * mask.area_px:
                taken[mask.box.slices] |= mask.pixels
                nucleus = None if mask.nucleus is None else mask.nucleus & free
                yield replace(mask, pixels=free, nucleus=nucleus)


def _tile_masks(rgb: Rgb, inner: Box, tile: Box, segmenter: Smear) -> Iterator[Mask]:
    """Yield the masks whose centre lies in ``inner``, in their places on the whole picture."""
    height, width = rgb.shape[:2]
    for mask in segmenter.segment(np.ascontiguousarray(rgb[tile.slices])):
        box = replace(mask.box, top=mask.box.top + tile.top, left=mask.box.left + tile.left)
        row, column = box.top + box.height // 2, box.left + box.width // 2
        if inner.top <= row < inner.bottom and inner.left <= column < inner.right:
            edge = box.top == 0 or box.left == 0 or box.bottom == height or box.right == width
            yield replace(mask, box=box, touches_border=edge)
