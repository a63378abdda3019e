"""How large the red cells of an image are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.edges import Edges, outline_edges, votes
from naturalize.segment.gaps import find_gaps, gap_within, n_cut_sides
from naturalize.segment.regions import (
    cut_by_border,
    inner_distance,
    label_areas,
    label_regions,
    shrunk,
)

LEAST_DIAMETER_PX = 14
"""Red cells of fewer pixels across cannot be told from letters, dust and noise."""
_ROUND_ASPECT = 1.35
_ROUND_EXTENT = (0.68, 0.86)
_NUCLEUS_AREAS = 1.8
_CURVATURE_SHARE = 0.9
_RANGE = (0.35, 1.5)
_ROUND_FILL = 0.6
_LARGEST_CENTRE = 0.4
_WIDEST_CENTRE = 2.5
_DOUBT = 0.8
_STEPS = 16
_BLUR = 0.16
_SIGMA = 0.04
_SMOOTH = (0.25, 0.5, 0.25)
_MIN_SIGMA = 0.7
_LOW_PIXELS = 8
_WORKING_SIDE = 160
_LEAST_SHRUNK = 18


def red_cell_diameter(
    foreground: NDArray[np.bool_], nuclear: NDArray[np.bool_], bluish: NDArray[np.bool_]
) -> float | None:
    """Return the median diameter in pixels of the red cells, None where nothing tells it.

    ``nuclear`` marks pixels of nuclei and platelets, ``bluish`` those that haemoglobin does not
    colour, for sure or perhaps. The diameter is that at which the outline's inward directions meet
    best, clumps included; whole single round cells of about that size make it more precise. The
    thickness of what absorbs, and nuclei, say where to look for it. Large masks are shrunk first.
    """
    step = max(1, min(foreground.shape) // _WORKING_SIDE)
    masks = (foreground, nuclear, bluish)
    if step > 1:
        diameter = _without_gaps(*(shrunk(mask, step) for mask in masks))
        if diameter is not None and diameter > _LEAST_SHRUNK:
            return float(step * diameter)
    return _without_gaps(*(shrunk(mask, 1) for mask in masks))


def _without_gaps(
    share: NDArray[np.float32], nuclear: NDArray[np.float32], bluish: NDArray[np.float32]
) -> float | None:
    """Return the diameter with pale centres filled, but no hole too large for one.

    Where filling makes cells much larger, the reading whose outlines agree better is right.
    """
    thickness = _typical_thickness(share > 0.5, nuclear > 0.5)
    centres = _round_holes(share > 0.5, np.pi / 4 * (_WIDEST_CENTRE * thickness) ** 2)
    diameter, agreement = _diameter(np.maximum(share, centres), nuclear, bluish)
    if diameter is None or not centres.any():
        return diameter
    if diameter > 2 * thickness:
        other, better = _diameter(share, nuclear, bluish)
        if better > agreement:
            return other
    labels, stats = label_regions(centres)
    gaps = stats[:, cv2.CC_STAT_AREA] > _LARGEST_CENTRE * np.pi / 4 * diameter**2
    gaps[0] = False
    if not gaps.any():
        return diameter
    return _diameter(np.maximum(share, centres & ~gaps[labels]), nuclear, bluish)[0]


def _diameter(
    share: NDArray[np.float32], nuclear_share: NDArray[np.float32], bluish: NDArray[np.float32]
) -> tuple[float | None, float]:
    """Return the diameter by the shares of pixels that masks cover, and how well edges agree."""
    filled, nuclear = share > 0.5, nuclear_share > 0.5
    other = nuclear | (bluish > 0.5)
    scale = max(
        _typical_thickness(filled, nuclear),
        _typical_thickness(filled, other),
        0.7 * _nuclear_scale(nuclear),
    )
    if not 6 <= scale <= 0.9 * min(filled.shape):
        return None, 0.0
    free = cv2.dilate(other.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    edges = outline_edges(share, free, max(_MIN_SIGMA, _SIGMA * scale))
    if len(edges) < 2 * scale:
        return scale, 0.0
    meeting, agreement = _meeting_diameter(edges, scale, filled.shape)
    curved = meeting / _CURVATURE_SHARE
    single = _round_diameters(filled, nuclear)
    single = single[(single > 0.77 * curved) & (single < 1.35 * curved)]
    return (float(np.median(single)) if len(single) >= 2 else curved), agreement


def _round_holes(foreground: NDArray[np.bool_], largest_px: float) -> NDArray[np.bool_]:
    """Return the holes that may be pale centres; gaps between packed cells have corners."""
    holes = np.zeros_like(foreground)
    for place in find_gaps(foreground):
        box = foreground[place]
        if _ROUND_FILL * box.size >= largest_px or n_cut_sides(place, foreground.shape):
            continue
        gap = gap_within(box)
        if _ROUND_FILL * box.size < np.count_nonzero(gap) < largest_px:
            holes[place] |= gap
    return holes


def _meeting_diameter(edges: Edges, scale: float, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the diameter of the circles that most of the edges agree on, and how well they do.

    ``scale`` is a first guess, wrong by a factor of ``exp(_DOUBT)`` now and then: it decides where
    the edges hardly do.
    """
    low, high = _RANGE[0] * scale, _RANGE[1] * scale
    pixel = max(1.0, low / _LOW_PIXELS)
    size = (int((shape[0] + high) / pixel) + 2, int((shape[1] + high) / pixel) + 2)
    diameters = np.geomspace(low, high, _STEPS)
    agreement = []
    for diameter in diameters:
        agreed, places = votes(edges, diameter / 2, high / 2, size, pixel, _BLUR)
        own = 1 / (np.pi * diameter)
        agreement.append(float(np.take(agreed, places).mean()) - own)
    smooth = np.convolve(np.pad(agreement, 1, mode="edge"), _SMOOTH, mode="valid")
    expected = np.exp(-0.5 * (np.log(diameters / scale) / _DOUBT) ** 2)
    best = int(np.argmax(smooth * expected))
    return float(diameters[best]), float(smooth[best])


def _round_diameters(filled: NDArray[np.bool_], nuclear: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the diameters of whole single round regions without a nucleus."""
    labels, stats = label_regions(filled)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    nuclear_share = np.bincount(labels[nuclear], minlength=len(area)) / area
    single = (nuclear_share < 0.05) & _is_round(stats, area) & ~cut_by_border(stats, labels.shape)
    return np.asarray(2 * np.sqrt(area[1:][single[1:]] / np.pi))


def _nuclear_scale(nuclear: NDArray[np.bool_]) -> float:
    """Return the red cell diameter at which the largest nucleus would have its usual size."""
    largest = label_areas(nuclear)[1][1:].max(initial=0)
    return float(2 * np.sqrt(largest / np.pi / _NUCLEUS_AREAS))


def _typical_thickness(filled: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the median width at the summits of what is ``filled`` but not near ``other``.

    The median is weighted by area, so slivers hardly count.
    """
    around = cv2.dilate(other.astype(np.uint8), np.ones((7, 7), np.uint8))
    depth = inner_distance(filled & (around == 0))
    if depth.max() < 3:
        return 0.0
    side = round(0.6 * float(depth.max())) | 1
    summits = (depth >= cv2.dilate(depth, np.ones((side, side), np.uint8))) & (depth >= 3)
    widths = np.sort(2 * depth[summits].astype(np.float64))
    weight = np.cumsum(widths**2)
    return float(widths[np.searchsorted(weight, weight[-1] / 2)])


def _is_round(stats: NDArray[np.int32], area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each component's box and filling are those of a disc."""
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    aspect = np.maximum(width, height) / np.minimum(width, height)
    extent = area / (width * height)
    low, high = _ROUND_EXTENT
    return np.asarray((aspect < _ROUND_ASPECT) & (extent > low) & (extent < high) & (area >= 30))
