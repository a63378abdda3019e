"""Red cells that a nucleated cell's mask took along in part: patches of haemoglobin at its edge."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import label_areas, opened
from naturalize.segment.stain import FOREGROUND_SHARE, Stain

_BLUR_PX = 1.5
_OWN_PURPLE = 0.3
"""Least purple share of a cell's cytoplasm: neutrophils, eosinophils and late erythroblasts hold
pink patches of their own."""
_OF_OWN, _MOST_PURPLE = 0.6, 0.2
"""Purple share that a red cell stays below: of the cytoplasm's, and at all."""
_LEAST_WIDTH, _LEAST_AREA, _LEAST_EDGE = 0.1, 0.04, 0.1
"""In diameters of a red cell, or in such squares: how wide a patch is, how large, and how much of
the cell's edge it takes."""
_LEAST_CYTOPLASM = 50
_SQUARE = np.ones((3, 3), np.uint8)


def without_red_patches(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a nucleated cell's pixels, bool (h, w), without patches of haemoglobin.

    Only a cell whose cytoplasm is plainly blue or purple loses any. ``nuclei`` and ``stain`` are
    those of the same window, ``diameter_px`` is that of a red cell.
    """
    patches = np.zeros_like(own)
    for patch in _patches(own, nuclei, stain, diameter_px):
        patches |= patch
    if not patches.any():
        return own
    return _largest(opened(own & ~patches, _LEAST_WIDTH * diameter_px)) & own


def _patches(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> Iterator[NDArray[np.bool_]]:
    """Yield the patches of one cell, bool of the shape of its box."""
    cytoplasm = own & ~nuclei
    if np.count_nonzero(cytoplasm) < _LEAST_CYTOPLASM:
        return
    purple, density = (
        cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), _BLUR_PX)
        for plane in (stain.purple, stain.density[..., 1])
    )
    share = purple / np.maximum(density, np.finfo(np.float32).tiny)
    usual = float(median(share[cytoplasm]))
    if usual < _OWN_PURPLE:
        return
    red = cytoplasm & (share < min(_OF_OWN * usual, _MOST_PURPLE))
    red &= density > FOREGROUND_SHARE * stain.red_cell_density
    parts, areas = label_areas(opened(red, _LEAST_WIDTH * diameter_px))
    edge = own & ~(cv2.erode(np.pad(own, 1).view(np.uint8), _SQUARE)[1:-1, 1:-1] > 0)
    along = np.bincount(parts[edge], minlength=len(areas))
    large = (areas > _LEAST_AREA * diameter_px**2) & (along > _LEAST_EDGE * diameter_px)
    yield from (parts == number for number in np.flatnonzero(large) if number)


def _largest(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected region of a mask."""
    parts, areas = label_areas(pixels)
    areas[0] = 0
    return np.asarray((parts == areas.argmax()) & pixels)
