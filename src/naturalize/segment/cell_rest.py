"""What a curve around a nucleus leaves over: tails, blebs and pale rims."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.cell_edge import settle_edge
from naturalize.segment.cytoplasm import UNDECIDED, Likeness
from naturalize.segment.pallor import fill_pallor
from naturalize.segment.regions import inner_distance, label_areas, reached
from naturalize.segment.smeared_stain import burst_core
from naturalize.segment.stain import Stain

_THICK = 0.3
_RIM_REACH = 0.35
_BROAD = 0.45
_HUGGING = 1.5
_CRESCENT = 0.6
_BLUISH = 0.12
_COLOUR_GRAIN = 0.15
_NOT_RED = 0.25


def take_rest(
    cell: NDArray[np.bool_],
    nucleus: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    stain: Stain,
    colour: Likeness,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return ``cell`` with the stain at its edge that is no red cell, up to its soft edge.

    Stain left beside a cell is a red cell where it is thick and has the colour of one. Thick
    tails of another colour, in broad contact with the cell, go to the cell; thin slivers go to
    what lies nearest, the cell or something thick. All masks are bool (height, width) of a window
    around the cell, ``taken`` what belongs to others; ``diameter_px`` is that of a red cell.
    """
    free = stain.faint & ~cell & ~taken
    solid = fill_pallor(free | cell, diameter_px) & ~cell & ~taken
    width = _THICK * diameter_px
    thick = reached(solid, width)
    tails = _tails(reached(solid & _bluish(stain, diameter_px), width), cell, stain, colour)
    tails |= _crescents(thick & ~tails, cell, stain, colour, diameter_px)
    own = cell | tails
    to_cell = inner_distance(~own)
    slivers = free & (to_cell < _RIM_REACH * diameter_px)
    slivers &= to_cell < inner_distance(~((thick & ~tails) | taken))
    whole = settle_edge(own | slivers, nucleus, taken, stain, diameter_px)
    core = burst_core(whole, nucleus, stain, diameter_px)
    return whole if core is None else settle_edge(core, nucleus, taken, stain, diameter_px)


def _bluish(stain: Stain, diameter_px: float) -> NDArray[np.bool_]:
    """Whether the colour around each pixel is bluer than haemoglobin."""
    excess = stain.purple - _BLUISH * stain.density[..., 1]
    side = max(3, round(_COLOUR_GRAIN * diameter_px)) | 1
    return np.asarray(cv2.blur(excess, (side, side)) > 0)


def _tails(
    thick: NDArray[np.bool_], cell: NDArray[np.bool_], stain: Stain, colour: Likeness
) -> NDArray[np.bool_]:
    """Return thick bluish regions in broad contact with the cell and of its cytoplasm's colour."""
    tails = np.zeros_like(cell)
    for region, area, contact in _touching(thick, cell):
        if contact > _BROAD * area**0.5 and _median_likeness(stain, region, colour) > UNDECIDED:
            tails |= region
    return tails


def _crescents(
    thick: NDArray[np.bool_],
    cell: NDArray[np.bool_],
    stain: Stain,
    colour: Likeness,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return thick regions that lie close along the cell and have not the colour of red cells."""
    crescents = np.zeros_like(cell)
    for region, area, contact in _touching(thick, cell):
        hugging = contact > _HUGGING * area**0.5 and area < _CRESCENT * diameter_px * contact
        if hugging and _median_likeness(stain, region, colour) > _NOT_RED:
            crescents |= region
    return crescents


def _touching(
    pixels: NDArray[np.bool_], cell: NDArray[np.bool_]
) -> list[tuple[NDArray[np.bool_], int, float]]:
    """Return the regions that touch the cell, each with its area and the length of contact."""
    labels, areas = label_areas(pixels)
    around = cv2.dilate(cell.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    contact = np.bincount(labels[around & pixels], minlength=len(areas)) / 2
    return [
        (labels == number, int(areas[number]), float(contact[number]))
        for number in np.flatnonzero(contact[1:]) + 1
    ]


def _median_likeness(stain: Stain, region: NDArray[np.bool_], colour: Likeness) -> float:
    return float(median(colour.of(stain.density[region])))
