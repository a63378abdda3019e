"""Platelets: small bodies that the network takes for them, and that are stained as they are.

Azure is what neither haemoglobin nor grey dirt explains: the red density that is left once the
blue density of both is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median, percentiles
from naturalize.segment.beads import find_beads
from naturalize.segment.cell_net import SEEN, Sight
from naturalize.segment.regions import (
    bounds,
    closed,
    fill_holes,
    find_boxes,
    framed,
    near,
    number_regions,
    opened,
    solidity,
    widened,
)
from naturalize.segment.stain import FOREGROUND_SHARE, Stain
from naturalize.segment.star_cells import find_star_cells, part_regions

_GREY = 0.75
_AZURE = 0.1
_HAIR = 0.1
_SMOOTH, _SMOOTH_OF_OWN = (0.25, 0.12), (0.25, 0.15)
"""Below which width a notch is filled and a hair cut: in diameters of a red cell, and at most in
diameters of the platelet itself."""
_EDGE_SHARE = 0.3
_EDGE_AZURE = 0.1
_BEYOND = 0.08
_LEAST_VOTES = 12
_LEAST_STAIN = 0.016
_LEAST_DENSITY = 0.6
_SOLID = 0.8
_RED_OF_GREEN = 0.43
_RED_BESIDE = 0.16


def find_platelets(
    shown: NDArray[np.uint8], sight: Sight, stain: Stain, diameter_px: float
) -> NDArray[np.int32]:
    """Return platelets as labels int32 (height, width), 0 outside.

    ``shown`` uint8 (height, width) tells what each pixel shows, by its place in ``SEEN``;
    ``diameter_px`` is that of a red cell.
    """
    raw = shown == SEEN.index("PLT")
    around = bounds(raw, 2)
    own = opened(fill_holes(raw[around]), _HAIR * diameter_px)
    labels = widened(number_regions(own)[0], around, raw.shape)
    labels = part_regions(labels, find_star_cells(sight, "PLT"), _LEAST_VOTES)
    found, numbers = np.zeros_like(labels), count(1)
    for number, place in enumerate(find_boxes(labels), start=1):
        if place is not None:
            here = stain.window(place)
            body = labels[place] == number
            for piece in _parted(_stained(body, here), diameter_px):
                if _is_platelet(piece, here, diameter_px):
                    free = body & (found[place] == 0)
                    found[place][_smooth(piece, diameter_px) & free] = next(numbers)
    return found


def with_haze(platelets: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return platelets with the blurred stain around them, which is no other cell either."""
    return near(platelets, _BEYOND * diameter_px)


def _stained(body: NDArray[np.bool_], stain: Stain) -> NDArray[np.bool_]:
    """Return the part of ``body`` that is dense and azure beside its median, and foreground."""
    density, azure = stain.density.max(axis=2), stain.purple - _GREY * stain.density[..., 2]
    least = _EDGE_SHARE * float(median(density[body]))
    dense = density > max(least, FOREGROUND_SHARE * stain.red_cell_density)
    return np.asarray(body & dense & (azure > _EDGE_AZURE * float(median(azure[body]))))


def _smooth(piece: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return a platelet without the notches and hairs that a threshold leaves at its edge."""
    own_px = 2 * np.sqrt(np.count_nonzero(piece) / np.pi)
    notch, hair = (
        min(width * diameter_px, width_of_own * own_px)
        for width, width_of_own in zip(_SMOOTH, _SMOOTH_OF_OWN, strict=True)
    )
    return opened(closed(piece, notch), hair)


def _parted(piece: NDArray[np.bool_], diameter_px: float) -> Iterator[NDArray[np.bool_]]:
    """Yield a platelet, and those that hang on it by a neck."""
    beads = find_beads(framed(piece, 1).astype(np.int32), diameter_px)[1:-1, 1:-1]
    yield piece & ~beads
    hanging, n_beads = number_regions(beads)
    yield from (hanging == number for number in range(1, n_beads + 1))


def _is_platelet(piece: NDArray[np.bool_], stain: Stain, diameter_px: float) -> bool:
    """Whether a body is solid, no speck, no haze and absorbs more red light than dirt or eosin."""
    if not piece.any():
        return False
    unit = stain.red_cell_density
    red, green, blue = stain.density[piece].T
    if red.sum() < _LEAST_STAIN * unit * np.pi / 4 * diameter_px**2:
        return False
    if percentiles(green, 75)[0] < _LEAST_DENSITY * unit:
        return False
    azure = float((stain.purple[piece] - _GREY * blue).mean()) > _AZURE * unit
    beside = float(median(red - _RED_OF_GREEN * green)) > _RED_BESIDE * unit
    return azure and beside and solidity(piece) > _SOLID
