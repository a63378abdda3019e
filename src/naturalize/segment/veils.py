"""Veils: smeared stain around a dark cell that its mask took for cytoplasm, and halos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import fill_holes, opened
from naturalize.segment.stain import FOREGROUND_SHARE, Stain

_PALE, _PURPLE = 0.85, 0.16
"""Density and purple part of it, in units of a red cell's density, below which what lies around a
nucleus is a veil; cytoplasm as pale belongs to cells with little nucleus, which keep it."""
_MOST_NUCLEUS = 0.5
_BODY = 0.25
"""A body without its veil ends at this share of its nucleus' density."""
_LEAST_WIDTH = 0.12
_LEAST_PIXELS = 50


def without_veil(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a nucleated cell's pixels, bool (h, w), without the veil around its dark body.

    Basophils burst into such veils; their body is all granules, which count as nucleus here. On an
    overexposed picture cytoplasm is as pale, and all stays. ``nuclei`` and ``stain`` are those of
    the same window, ``diameter_px`` is that of a red cell.
    """
    dark, pale = own & nuclei, own & ~nuclei
    if stain.overexposed or min(np.count_nonzero(dark), np.count_nonzero(pale)) < _LEAST_PIXELS:
        return own
    unit, green = stain.red_cell_density, stain.density[..., 1]
    usual = float(median(green[pale])) / unit
    veiled = usual < _PALE and float(median(stain.purple[pale])) < _PURPLE * unit
    much = np.count_nonzero(dark) > _MOST_NUCLEUS * np.count_nonzero(own)
    if not (usual < FOREGROUND_SHARE or (veiled and much)):
        return own
    body = own & (green > _BODY * float(median(green[dark])))
    return opened(fill_holes(body), _LEAST_WIDTH * diameter_px) & own
