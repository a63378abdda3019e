"""Veils: smeared stain around a dark cell that its mask took for cytoplasm, and halos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import closed, fill_holes, near, opened, solidity
from naturalize.segment.stain import FOREGROUND_SHARE, Stain

_PURPLE = 0.25
"""Purple part of the density of what lies around a dark body below which it is a veil."""
_MUCH, _SOLID = 0.37, 0.83
"""Of the cell what its dark body fills, and of its own convex hull."""
_UNEVEN = 0.6
"""Coefficient of variation of a veil's density; smeared stain is patchy, cytoplasm is not."""
_LEAST_AROUND = 0.03
"""Of the cell, what lies around the body; a thinner ring is its blurred edge."""
_GAPS, _LEAST_WIDTH = 0.12, 0.12
"""Widths, in red cells, of gaps between granules that a body closes, and of what is left off it."""
_BODY = 0.25
"""A veil is paler than this share of its body's nuclear density, where the body ends."""
_EDGE = 0.03
"""How far a body's blurred edge reaches, in red cells."""
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
    around = own & ~near(body, _EDGE * diameter_px)
    area = np.count_nonzero(own)
    if np.count_nonzero(around) < max(_LEAST_PIXELS, _LEAST_AROUND * area):
        return own
    green = stain.density[..., 1]
    pale, least = green[around], _BODY * float(median(green[dark]))
    usual = float(median(pale))
    much = np.count_nonzero(body) > _MUCH * area and solidity(body) > _SOLID
    reddish = usual < least and float(median(stain.purple[around])) < _PURPLE * usual
    veiled = much and reddish and float(pale.std()) > _UNEVEN * float(pale.mean())
    if not (veiled or usual < FOREGROUND_SHARE * stain.red_cell_density):
        return own
    whole = fill_holes(closed(own & (green > least), _GAPS * diameter_px))
    return opened(whole, _LEAST_WIDTH * diameter_px) & own
