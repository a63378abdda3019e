"""Slivers of red cells pressed against a nucleated cell, which its mask took along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.regions import inner_distance, largest_piece, near, number_regions, opened
from naturalize.segment.stain import BLUE_CYTOPLASM, FOREGROUND_SHARE, Stain

_BLUR = 0.012
"""By how much density and purple are smoothed, in diameters of a red cell."""
_SURE, _BLURRED = 0.15, 0.3
"""Purple share that a red cell stays below, and what it does next to cytoplasm."""
_DEEP, _WIDE, _FRINGE = 0.12, 0.08, 0.035
"""How deep a sliver may reach into a cell, how wide the red cell is beyond it, as what is narrower
is a blurred edge, and how wide its own blurred edge is, in diameters of a red cell."""
_LEAST_CYTOPLASM = 50


def without_slivers(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a nucleated cell's pixels, bool (h, w), without the edge of a red cell beside it.

    That has the colour of haemoglobin and goes on beyond the mask. Cytoplasm that is not blue may
    be as red, and loses nothing. ``nuclei`` and ``stain`` are those of the same window, which holds
    a little of what lies around the cell; ``diameter_px`` is that of a red cell.
    """
    edge = own & (inner_distance(own) < _DEEP * diameter_px)
    cytoplasm = own & ~nuclei & ~edge
    if np.count_nonzero(cytoplasm) < _LEAST_CYTOPLASM:
        return own
    density, share = stain.smoothed(_BLUR * diameter_px)
    usual = float(median(share[cytoplasm]))
    if usual < BLUE_CYTOPLASM:
        return own
    dense = density > FOREGROUND_SHARE * stain.red_cell_density
    red = dense & (share < _SURE)
    beside = opened(red & ~own, _WIDE * diameter_px)
    if not beside.any():
        return own
    regions, n_regions = number_regions(red & (edge | ~own), connectivity=4)
    reached = np.zeros(n_regions + 1, dtype=np.bool_)
    reached[regions[beside]] = True
    reached[0] = False
    sliver = np.take(reached, regions)
    fringe = edge & dense & (share < _BLURRED) & near(sliver, _FRINGE * diameter_px)
    return largest_piece(own & ~(sliver | fringe))
