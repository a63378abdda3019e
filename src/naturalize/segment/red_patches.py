"""Red cells that a nucleated cell's mask took along in part: patches of haemoglobin at its edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import (
    framed,
    inner_distance,
    label_areas,
    largest_piece,
    near,
    opened,
    solidity,
)
from naturalize.segment.stain import BLUE_CYTOPLASM, FOREGROUND_SHARE, Stain

_BLUR = 0.02
"""By how much density and purple are smoothed, in diameters of a red cell."""
_PINK = 0.15
"""Purple share of a cell's cytoplasm from which it is pink at least: eosinophils and late
erythroblasts are as red as red cells and lose nothing. From that of blue cytoplasm on, whatever is
plainly less so is no part of the cell."""
_OF_OWN, _MOST_PURPLE, _MOST_BESIDE_PINK = 0.6, 0.2, 0.13
"""Purple share that a red cell stays below: beside blue cytoplasm, of that and at all, and
beside pink cytoplasm."""
_FINE, _COARSE, _EVEN = 0.0125, 0.04, 0.075
"""Red cells are even, where pink cytoplasm is granular: by what share density changes between two
smoothings, in diameters of a red cell."""
_LEAST_WIDTH, _EDGE, _LEAST_EDGE, _FRINGE = 0.1, 0.01, 0.1, 0.12
_LEAST_AREA, _LEAST_AREA_BESIDE_PINK = 0.04, 0.08
"""In diameters of a red cell, or in such squares: how wide a patch is, how near the cell's edge it
comes, how much lies there, how far from what is even its blurred edge reaches, and how large it
is."""
_WHOLE, _BITE, _DEEP_BLUE = 0.98, 0.025, 0.5
"""Solidity of a cell so round that it hardly holds a part of another, what a bite takes of it, and
the purple share of cytoplasm from which no pink place can be its own."""
_DEEP = 0.06
"""How deep in a cell its colour is told best, in diameters of a red cell."""
_LEAST_CYTOPLASM = 50


def without_red_patches(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a nucleated cell's pixels, bool (h, w), without patches of haemoglobin.

    Only a cell whose cytoplasm is bluer than haemoglobin loses any, and a round one that is not
    plainly bluer no bite. ``nuclei`` and ``stain`` are those of the same window, ``diameter_px`` is
    that of a red cell.
    """
    cytoplasm = own & ~nuclei
    if np.count_nonzero(cytoplasm) < _LEAST_CYTOPLASM:
        return own
    density, share = stain.smoothed(_BLUR * diameter_px)
    dense = cytoplasm & (density > FOREGROUND_SHARE * stain.red_cell_density)
    even = dense & (share < _MOST_BESIDE_PINK) & _is_even(stain.density[..., 1], diameter_px)
    inner = inner_distance(framed(own, 1))[1:-1, 1:-1]
    deep = inner > _DEEP * diameter_px
    usual = float(median(share[_sure_cytoplasm(cytoplasm, even, deep)]))
    if usual <= _PINK:
        return own
    blue = usual >= BLUE_CYTOPLASM
    red = dense & (share < (min(_OF_OWN * usual, _MOST_PURPLE) if blue else _MOST_BESIDE_PINK))
    sure, least_area = (red, _LEAST_AREA) if blue else (even, _LEAST_AREA_BESIDE_PINK)
    patches = _at_edge(sure, inner, least_area, diameter_px)
    if not patches.any():
        return own
    patches |= red & near(patches, _FRINGE * diameter_px)
    rest = largest_piece(opened(own & ~patches, _LEAST_WIDTH * diameter_px)) & own
    return own if usual < _DEEP_BLUE and _is_bite(own, rest) else rest


def _sure_cytoplasm(
    cytoplasm: NDArray[np.bool_], even: NDArray[np.bool_], deep: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return what of the cytoplasm tells its colour best.

    That is what lies ``deep`` in the cell and is not as even and red as a red cell, where there is
    more of it than of that; a thin rim around a large nucleus may be mostly another cell's.
    """
    rather = cytoplasm & ~even
    enough = np.count_nonzero(even)
    return next((some for some in (rather & deep, rather) if some.sum() > enough), cytoplasm)


def _at_edge(
    red: NDArray[np.bool_], inner: NDArray[np.float32], least_area: float, diameter_px: float
) -> NDArray[np.bool_]:
    """Return the regions of ``red`` that are large and lie along the edge of a cell.

    ``inner`` is the distance of its pixels to that edge, 0 outside the cell.
    """
    parts, areas = label_areas(opened(red, _LEAST_WIDTH * diameter_px))
    edge = (inner > 0) & (inner < 1 + _EDGE * diameter_px)
    along = np.bincount(parts[edge], minlength=len(areas))
    large = (areas > least_area * diameter_px**2) & (along > _LEAST_EDGE * diameter_px)
    large[0] = False
    return np.take(large, parts)


def _is_bite(own: NDArray[np.bool_], rest: NDArray[np.bool_]) -> bool:
    """Whether ``rest`` is a whole round cell with a piece bitten out."""
    whole = solidity(own)
    return whole > _WHOLE and solidity(rest) < whole - _BITE


def _is_even(density: NDArray[np.float32], diameter_px: float) -> NDArray[np.bool_]:
    """Return where density (h, w) hardly changes from place to place."""
    fine, coarse = (_smoothed(density, width * diameter_px) for width in (_FINE, _COARSE))
    return _smoothed(np.abs(fine - coarse), _FINE * 2 * diameter_px) < _EVEN * density


def _smoothed(plane: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    plane = np.ascontiguousarray(plane)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma_px), np.float32)
