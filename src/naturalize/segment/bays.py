"""Slide within a red cell's outline that is no pale centre: it opens to the cell's edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.regions import framed, number_regions, opened

_LEAST_AREA = 0.012
_MOUTH, _EDGE = 0.12, 0.06
"""How many diameters of a cell's edge a bay opens to, and what counts as the edge."""
_SHALLOW = 0.43
_SLIVER = 0.2


def without_bays(
    pixels: NDArray[np.bool_],
    slide: NDArray[np.bool_],
    place: tuple[slice, slice],
    shape: tuple[int, ...],
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return a cell, bool (h, w), without its bays and the slivers beyond them.

    A bay is slide within the cell that reaches its edge widely. The outline of a cell that others
    hide in part is guessed, and may take in the slide between them. A pale centre that a faint rim
    leaves open is none: it lies deep in the cell, on average farther from the cell's edge than
    ``_SHALLOW`` of what its deepest pixel does. Where the image, of ``shape``, ends is no edge.

    ``pixels`` bool (h, w) is the cell and ``slide`` bool (h, w) what absorbs nothing, both as they
    lie at ``place``.

    >>> cell, slide = np.ones((2, 20, 20), dtype=bool)
    >>> slide[4:] = False
    >>> kept = without_bays(cell, slide, (slice(5, 25), slice(5, 25)), (30, 30), 20)
    >>> kept.any(axis=1).tolist() == [False] * 4 + [True] * 16
    True
    """
    bare = pixels & slide
    if np.count_nonzero(bare) < _LEAST_AREA * diameter_px**2:
        return pixels
    depth = _depth(pixels, place, shape)
    rim = depth < _EDGE * diameter_px
    bays = np.zeros_like(pixels)
    regions, n_regions = number_regions(bare, connectivity=4)
    for number in range(1, n_regions + 1):
        own = regions == number
        wide = np.count_nonzero(own & rim) > _MOUTH * _EDGE * diameter_px**2
        large = np.count_nonzero(own) >= _LEAST_AREA * diameter_px**2
        if wide and large and depth[own].mean() < _SHALLOW * depth.max():
            bays |= own
    kept = pixels & ~bays
    return kept & opened(kept, _SLIVER * diameter_px) if bays.any() else pixels


def _depth(
    pixels: NDArray[np.bool_], place: tuple[slice, slice], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return each pixel's distance to the cell's edge in px, float32 (h, w)."""
    rows, columns = place
    whole = framed(pixels, 1, going_on=True).view(np.uint8)
    whole[0] &= rows.start == 0
    whole[-1] &= rows.stop == shape[0]
    whole[:, 0] &= columns.start == 0
    whole[:, -1] &= columns.stop == shape[1]
    return np.asarray(cv2.distanceTransform(whole, cv2.DIST_L2, 5)[1:-1, 1:-1], dtype=np.float32)
