"""Platelets: small azure bodies without a nucleus, alone on the slide or on red cells.

Azure is what neither haemoglobin nor grey dirt explains: the red density that is left once the
blue density of both is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.quantiles import median, percentiles
from naturalize.segment.regions import fill_holes, inner_distance, label_regions, near, solidity
from naturalize.segment.stain import FOREGROUND_SHARE, Stain

_GREY = 0.75
_GRAIN = 0.03
_AZURE = 0.1
_AZURE_SHARE = 0.8
_AZURE_ON_CELLS = 0.5
_LARGEST = 1.3
_LEAST_CORE = 0.01
_AROUND = 0.35
_EDGE_DENSITY = 0.3
_EDGE_AZURE = (-np.inf, 0.2, 0.4, 0.6)
_BEYOND = 0.08
_EDGE_SHARE = 0.75
_HAIR = 0.1
_WAIST = 0.55
_LARGEST_CUT = 0.4
_AZURE_CUT = 0.25
_LEAST_STAIN = 0.016
_LEAST_DENSITY = 0.6
_SOLID = 0.8
_RED_OF_GREEN = 0.43
_RED_BESIDE = 0.16


def find_platelets(stain: Stain, cells: NDArray[np.bool_], diameter_px: float) -> NDArray[np.int32]:
    """Return platelets as labels int32 (height, width), 0 outside.

    A lone region of azure stain is one as a whole, up to where its density falls to a share of
    its own. What lies on or beside other cells must be far more azure than they are, with an edge
    all round. ``cells`` marks nucleated cells, ``diameter_px`` is that of a red cell.
    """
    azure = _azure(stain, diameter_px)
    regions, stats = label_regions(stain.foreground)
    lone = _lone(regions, stats, azure, cells, diameter_px)
    beside = stain.foreground & ~cells
    if lone.any():
        beside &= ~np.take(lone, regions)
    found = np.zeros(regions.shape, dtype=np.int32)
    number = 0
    for box, body in chain(
        _lone_bodies(regions, stats, lone, stain),
        _bodies_beside_cells(beside, azure, cells, stain, diameter_px),
    ):
        here = stain.window(box.slices)
        for piece in _parts(body, diameter_px):
            if _is_platelet(piece, here, diameter_px):
                number += 1
                found[box.slices][piece] = number
    doubtful = _doubtful(found, azure, diameter_px)
    return np.where(np.take(doubtful, found), 0, found) if doubtful.any() else found


def with_haze(platelets: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return platelets with the blurred stain around them, which is no other cell either."""
    return near(platelets, _BEYOND * diameter_px)


def _azure(stain: Stain, diameter_px: float) -> NDArray[np.float32]:
    """Return azure, smoothed beyond granules, in units of the red cells' density."""
    azure = stain.purple - np.float32(_GREY) * stain.density[..., 2]
    smooth = cv2.GaussianBlur(azure, (0, 0), _GRAIN * diameter_px)
    return np.asarray(smooth / np.float32(stain.red_cell_density), dtype=np.float32)


def _lone(
    regions: NDArray[np.int32],
    stats: NDArray[np.int32],
    azure: NDArray[np.float32],
    cells: NDArray[np.bool_],
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Whether each foreground region is azure, free of nucleated cells and of a platelet's size."""
    area = stats[:, cv2.CC_STAT_AREA]
    small = area < _LARGEST * np.pi / 4 * diameter_px**2
    small[regions[cells]] = False
    small[0] = False
    inside = np.take(small, regions)
    total = np.bincount(regions[inside], weights=azure[inside], minlength=len(area))
    share = np.bincount(regions[inside & (azure > 0)], minlength=len(area))
    return np.asarray(small & (total > _AZURE * area) & (share > _AZURE_SHARE * area))


def _doubtful(
    found: NDArray[np.int32], azure: NDArray[np.float32], diameter_px: float
) -> NDArray[np.bool_]:
    """Whether each object is cut by the border and too large, or too red, to tell its kind."""
    number = np.zeros(int(found.max()) + 1, dtype=np.bool_)
    for side in (found[0], found[-1], found[:, 0], found[:, -1]):
        number[side] = True
    number[0] = False
    for cut in np.flatnonzero(number):
        values = azure[found == cut]
        large = values.size > _LARGEST_CUT * np.pi / 4 * diameter_px**2
        number[cut] = large or values.mean() < _AZURE_CUT
    return number


def _lone_bodies(
    regions: NDArray[np.int32], stats: NDArray[np.int32], lone: NDArray[np.bool_], stain: Stain
) -> Iterator[tuple[Box, NDArray[np.bool_]]]:
    """Yield each lone region with its box, up to its own edge."""
    for number in np.flatnonzero(lone):
        box = _box(stats[number])
        region = regions[box.slices] == number
        yield box, region & _is_dense(stain.window(box.slices), region)


def _bodies_beside_cells(
    beside: NDArray[np.bool_],
    azure: NDArray[np.float32],
    cells: NDArray[np.bool_],
    stain: Stain,
    diameter_px: float,
) -> Iterator[tuple[Box, NDArray[np.bool_]]]:
    """Yield azure bodies that an edge surrounds, each with the box of its surroundings."""
    cores, stats = label_regions(beside & (azure > _AZURE_ON_CELLS))
    area = stats[:, cv2.CC_STAT_AREA] / (np.pi / 4 * diameter_px**2)
    likely = (area > _LEAST_CORE) & (area < _LARGEST)
    likely[0] = False
    for number in np.flatnonzero(likely):
        box = _box(stats[number]).grown(round(_AROUND * diameter_px)).clipped(*beside.shape)
        body = _edged(
            cores[box.slices] == number,
            azure[box.slices],
            cells[box.slices],
            _frame(box, beside.shape),
            stain.window(box.slices),
            diameter_px,
        )
        if body is not None:
            yield box, body


def _box(row: NDArray[np.int32]) -> Box:
    """Return the box of one region's statistics."""
    left, top, width, height = (int(v) for v in row[:4])
    return Box(top, left, height, width)


def _frame(box: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the outermost pixels of a window, but for sides that are the image's own."""
    frame = np.zeros((box.height, box.width), dtype=np.bool_)
    frame[0], frame[-1] = box.top > 0, box.bottom < shape[0]
    frame[:, 0] |= box.left > 0
    frame[:, -1] |= box.right < shape[1]
    return frame


def _edged(
    core: NDArray[np.bool_],
    azure: NDArray[np.float32],
    cells: NDArray[np.bool_],
    frame: NDArray[np.bool_],
    stain: Stain,
    diameter_px: float,
) -> NDArray[np.bool_] | None:
    """Return what lies around ``core`` up to an edge that surrounds it, None where none does.

    The edge is where density falls to a share of the core's own; where other cells lie beside
    it, where azure does, to the least share that keeps clear of the window's ``frame``.
    """
    level = float(median(azure[core]))
    dense = ~cells & _is_dense(stain, core)
    for share in _EDGE_AZURE:
        within = dense & (azure > share * level)
        labels, _ = label_regions(within)
        own = np.zeros(labels.max() + 1, dtype=np.bool_)
        own[labels[core]] = True
        own[0] = False
        body = fill_holes(own[labels])
        bounded = not (body & frame).any() and (azure[body] > 0).mean() > _AZURE_SHARE
        if bounded and _ends_all_round(body, ~(within | cells), diameter_px):
            return body
    return None


def _is_dense(stain: Stain, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether pixels are dense beside the median of ``body``, and foreground."""
    density = stain.deepest
    edge = _EDGE_DENSITY * float(median(density[body]))
    return np.asarray(density > max(edge, FOREGROUND_SHARE * stain.red_cell_density))


def _ends_all_round(body: NDArray[np.bool_], faint: NDArray[np.bool_], diameter_px: float) -> bool:
    """Whether nearly all that lies a little beyond the outline of ``body`` is ``faint``."""
    wide = cv2.dilate(body.astype(np.uint8), _disc(2 * _BEYOND * diameter_px))
    ring = (wide > 0) & (cv2.erode(wide, np.ones((3, 3), np.uint8)) == 0)
    return bool(np.count_nonzero(faint & ring) > _EDGE_SHARE * np.count_nonzero(ring))


def _parts(body: NDArray[np.bool_], diameter_px: float) -> Iterator[NDArray[np.bool_]]:
    """Yield ``body`` without hairs, cut where it is narrow: two platelets that touch are two."""
    smooth = _opened(fill_holes(body), _HAIR * diameter_px)
    labels, stats = label_regions(smooth)
    for number in range(1, len(stats)):
        part = labels == number
        cores, n_cores = _cores(part)
        if n_cores < 2:
            yield part
        else:
            nearest = cv2.distanceTransformWithLabels(
                (cores == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
            )[1]
            for core in range(1, n_cores + 1):
                yield part & (nearest == nearest[cores == core][0])


def _cores(part: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the thick regions of a part as labels, and how many they are."""
    depth = inner_distance(np.pad(part, 1))[1:-1, 1:-1]
    labels, stats = label_regions(depth > _WAIST * depth.max())
    return labels, len(stats) - 1


def _opened(body: NDArray[np.bool_], width_px: float) -> NDArray[np.bool_]:
    """Return what a disc of ``width_px`` reaches within ``body``, as if it went on outside."""
    disc = _disc(width_px)
    side = len(disc)
    framed = cv2.copyMakeBorder(body.astype(np.uint8), side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(framed, cv2.MORPH_OPEN, disc)
    return np.asarray(opened[side:-side, side:-side] > 0)


def _disc(width_px: float) -> NDArray[np.uint8]:
    side = max(3, round(width_px)) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)


def _is_platelet(piece: NDArray[np.bool_], stain: Stain, diameter_px: float) -> bool:
    """Whether a body is solid, no speck, no haze and absorbs more red light than eosin does."""
    unit = stain.red_cell_density
    red, green = stain.density[..., 0][piece], stain.density[..., 1][piece]
    if red.sum() < _LEAST_STAIN * unit * np.pi / 4 * diameter_px**2:
        return False
    if percentiles(green, 75)[0] < _LEAST_DENSITY * unit:
        return False
    azure = float(median(red - _RED_OF_GREEN * green)) > _RED_BESIDE * unit
    return azure and solidity(piece) > _SOLID
