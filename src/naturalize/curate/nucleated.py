"""Nucleated cells one by one, where a segmenter took lobes of one for two, or two for one."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from naturalize.segment import Mask
from naturalize.segment.regions import inner_distance, label_areas, solidity

_LONG = 0.9
_ONE_NUCLEUS = 2.6
"""No lobed nucleus is larger than this, in red cells; halves with more between them are cells."""
_LARGE_CELL, _FILLED = 4.5, 0.96
_CONVEX = 0.94
_NECK = 0.75
_SMALL_NUCLEUS = 0.15
_LEVELS = tuple(0.05 * step for step in range(2, 20))
"""Widths of a neck that are tried, as halves in diameters of a red cell."""


def nucleated_cells(
    stained: NDArray[np.bool_], masks: Sequence[Mask], diameter_px: float
) -> list[NDArray[np.bool_]]:
    """Return the nucleated cells of an image among ``masks``, bool (height, width) each.

    Masks whose nuclei are no more than one nucleus with its lobes make one cell if they meet along
    all their width, or if no bare slide shows between them and around. A mask with a neck between
    two nuclei makes two. ``stained`` (height, width) is what is no bare slide.
    """
    shape = stained.shape
    disc = np.pi / 4 * diameter_px**2
    cells: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    for mask in masks:
        if mask.kind != "WBC":
            continue
        nucleus = np.zeros(shape[:2], dtype=np.bool_)
        if mask.nucleus is not None:
            nucleus[mask.box.slices] = mask.nucleus
        whole = mask.to_image(shape)
        cells += [(whole & side, nucleus & side) for side in _sides(whole, nucleus, diameter_px)]
    if len(cells) > 1:
        cells = _joined(cells, stained, disc, reach=max(3, round(0.1 * diameter_px)))
    return [pixels for pixels, _ in cells]


def _sides(
    pixels: NDArray[np.bool_], nucleus: NDArray[np.bool_], diameter_px: float
) -> list[NDArray[np.bool_]]:
    """Return the two sides of a neck that parts a mask between two nuclei, or the mask itself."""
    if solidity(pixels) > _CONVEX:
        return [pixels]
    depth = inner_distance(np.pad(pixels, 1))[1:-1, 1:-1]
    least = _SMALL_NUCLEUS * np.pi / 4 * diameter_px**2
    for level in _LEVELS:
        labels, _ = label_areas(depth > level * diameter_px)
        peaks = ndimage.maximum(depth, labels, range(1, int(labels.max()) + 1))
        bulky = np.flatnonzero(np.asarray(peaks) * _NECK > level * diameter_px) + 1
        if len(bulky) < 2:
            continue
        far = np.stack([inner_distance(labels != number) for number in bulky])
        sides = [pixels & (far.argmin(axis=0) == number) for number in range(len(bulky))]
        sides.sort(key=lambda side: -np.count_nonzero(side & nucleus))
        if np.count_nonzero(sides[1] & nucleus) > least:
            return [pixels & ~sides[1], sides[1]]
    return [pixels]


def _joined(
    cells: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]],
    stained: NDArray[np.bool_],
    disc: float,
    *,
    reach: int,
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Join cells that are halves of one."""
    whole: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    for pixels, nucleus in cells:
        for number, (other, other_nucleus) in enumerate(whole):
            nuclei = np.count_nonzero(nucleus) + np.count_nonzero(other_nucleus)
            if nuclei < _ONE_NUCLEUS * disc and (
                _meet_broadly(pixels, other, reach) or _one_body(pixels | other, stained, disc)
            ):
                whole[number] = (pixels | other, nucleus | other_nucleus)
                break
        else:
            whole.append((pixels, nucleus))
    return whole


def _meet_broadly(one: NDArray[np.bool_], other: NDArray[np.bool_], reach: int) -> bool:
    """Whether two cells meet along as much as the smaller one is wide."""
    kernel = np.ones((reach, reach), np.uint8)
    near = [cv2.dilate(pixels.astype(np.uint8), kernel) > 0 for pixels in (one, other)]
    rows, columns = np.nonzero(near[0] & near[1])
    if not rows.size:
        return False
    length = float(np.hypot(np.ptp(rows), np.ptp(columns)))
    smaller = min(np.count_nonzero(one), np.count_nonzero(other))
    return bool(length > _LONG * 2 * (smaller / np.pi) ** 0.5)


def _one_body(pixels: NDArray[np.bool_], stained: NDArray[np.bool_], disc: float) -> bool:
    """Whether the convex hull of ``pixels`` is as small as a cell and hardly shows bare slide."""
    points = np.argwhere(pixels)[:, ::-1].astype(np.int32)
    hull = np.zeros(pixels.shape, dtype=np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    inside = hull > 0
    return bool(inside.sum() < _LARGE_CELL * disc and stained[inside].mean() > _FILLED)
