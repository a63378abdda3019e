"""Veils: smeared stain around a dark cell that its mask took for cytoplasm, and halos."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import closed, fill_holes, opened, solidity
from naturalize.segment.stain import FOREGROUND_SHARE, Stain

_PALE, _PURPLE = 1.3, 0.25
"""Density and purple part of it, in units of a red cell's density, below which what lies around a
dark body is a veil; cytoplasm as pale belongs to cells with less nucleus, which keep it."""
_MUCH, _SOLID = 0.5, 0.83
"""Of the cell what its dark body fills, and of its own convex hull."""
_LEAST_AROUND = 0.03
"""Of the cell, what lies around the body; a thinner ring is its blurred edge."""
_GAPS, _LEAST_WIDTH = 0.12, 0.12
"""Widths, in red cells, of gaps between granules that a body closes, and of what is left off it."""
_BODY = 0.25
"""A body without its veil ends at this share of its nucleus' density."""
_EDGE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_LEAST_PIXELS = 50


def without_veil(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a nucleated cell's pixels, bool (h, w), without the veil around its dark body.

    Basophils burst into such veils; their body is all granules, which count as nucleus here. On an
    overexposed picture cytoplasm is as pale, and all stays. ``nuclei`` and ``stain`` are those of
    the same window, ``diameter_px`` is that of a red cell.
    """
    dark = own & nuclei
    if stain.overexposed or np.count_nonzero(dark) < _LEAST_PIXELS:
        return own
    body = fill_holes(closed(dark, _GAPS * diameter_px)) & own
    around = own & (cv2.dilate(body.view(np.uint8), _EDGE) == 0)
    area = np.count_nonzero(own)
    if np.count_nonzero(around) < max(_LEAST_PIXELS, _LEAST_AROUND * area):
        return own
    unit, green = stain.red_cell_density, stain.density[..., 1]
    usual, purple = float(median(green[around])), float(median(stain.purple[around]))
    much = np.count_nonzero(body) > _MUCH * area and solidity(body) > _SOLID
    veiled = much and usual < _PALE * unit and purple < _PURPLE * unit
    if not (veiled or usual < FOREGROUND_SHARE * unit):
        return own
    dense = own & (green > _BODY * float(median(green[dark])))
    whole = fill_holes(closed(dense, _GAPS * diameter_px))
    return opened(whole, _LEAST_WIDTH * diameter_px) & own
