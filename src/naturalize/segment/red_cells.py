"""Red blood cells: how large they are, and where one ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.fill_holes import fill_holes

_ROUND_ASPECT = 1.35
_ROUND_EXTENT = (0.68, 0.86)
_PALLOR_SHARE = 0.35
_NUCLEUS_AREAS = 1.8


def red_cell_diameter(foreground: NDArray[np.bool_], nuclear: NDArray[np.bool_]) -> float | None:
    """Return the median diameter in pixels of the red cells, None where nothing tells it.

    ``nuclear`` marks pixels of nuclei and platelets; what touches them is not counted as single.
    The thickness of all red cells, clumps included, tells the scale; whole single round cells
    of about that size then tell the diameter. Without those, a nucleus warns of a scale that is
    far too small.
    """
    filled = fill_holes(foreground)
    around = cv2.dilate(nuclear.astype(np.uint8), np.ones((9, 9), np.uint8))
    thick = cv2.distanceTransform((filled & (around == 0)).astype(np.uint8), cv2.DIST_L2, 3)
    scale = max(_typical_thickness(thick), 0.7 * _nuclear_scale(nuclear))
    if not 6 <= scale <= 0.6 * min(foreground.shape):
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled.astype(np.uint8))
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    purple_share = np.bincount(labels[nuclear], minlength=len(area)) / area
    diameter = 2 * np.sqrt(area / np.pi)
    single = (purple_share < 0.05) & _is_round(stats, area) & ~_cut_by_border(stats, labels.shape)
    single &= (diameter > 0.7 * scale) & (diameter < 1.4 * scale)
    single[0] = False
    return float(np.median(diameter[single])) if single.any() else scale


def _nuclear_scale(nuclear: NDArray[np.bool_]) -> float:
    """Return the red cell diameter at which the largest nucleus would have its usual size."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(nuclear.astype(np.uint8))
    largest = stats[1:, cv2.CC_STAT_AREA].max(initial=0)
    return float(2 * np.sqrt(largest / np.pi / _NUCLEUS_AREAS))


def _typical_thickness(depth: NDArray[np.float32]) -> float:
    """Return the median width at the summits of a distance transform, weighted by area."""
    if depth.max() < 3:
        return 0.0
    side = round(0.6 * float(depth.max())) | 1
    summits = (depth >= cv2.dilate(depth, np.ones((side, side), np.uint8))) & (depth >= 3)
    widths = np.sort(2 * depth[summits].astype(np.float64))
    weight = np.cumsum(widths**2)
    return float(widths[np.searchsorted(weight, weight[-1] / 2)])


def split_red_cells(
    foreground: NDArray[np.bool_], diameter_px: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cut ``foreground`` into cells, one around each summit of its distance transform.

    A clump is cut by the power diagram of the discs inscribed at its summits: the cut between two
    overlapping discs is the chord through the points where their outlines meet. Returns labels
    int32 (height, width), 0 outside, and bool (largest label + 1): whether the cell was cut from
    a clump.
    """
    filled = fill_pallor(foreground, diameter_px)
    depth = cv2.distanceTransform(filled.astype(np.uint8), cv2.DIST_L2, 5)
    summits, radii = _summits(depth, diameter_px)
    clumps, clump_of = cv2.connectedComponents(filled.astype(np.uint8))
    home = clump_of[summits[:, 0], summits[:, 1]]
    per_clump = np.bincount(home, minlength=clumps)
    first = np.zeros(clumps, dtype=np.int32)
    first[home] = np.arange(1, len(home) + 1)
    first[0] = 0
    labels = first[clump_of]
    for clump in np.flatnonzero(per_clump > 1):
        rows, columns = np.nonzero(clump_of == clump)
        members = np.flatnonzero(home == clump)
        labels[rows, columns] = (
            1 + members[_nearest_disc(rows, columns, summits[members], radii[members])]
        )
    return labels, np.append(False, per_clump[home] > 1)


def _summits(
    depth: NDArray[np.float32], diameter_px: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (row, column) and height of the summits of a distance transform."""
    depth = np.asarray(cv2.GaussianBlur(depth, (0, 0), max(0.04 * diameter_px, 0.5)))
    side = max(3, round(0.45 * diameter_px)) | 1
    peaks = (depth >= cv2.dilate(depth, np.ones((side, side), np.uint8))) & (
        depth > 0.15 * diameter_px
    )
    count, _, _, centres = cv2.connectedComponentsWithStats(peaks.astype(np.uint8))
    points = centres[1:count, ::-1].round().astype(np.int64)
    return points, depth[points[:, 0], points[:, 1]].astype(np.float64)


def _nearest_disc(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    centres: NDArray[np.int64],
    radii: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return which disc has the least power, squared distance less squared radius, at points."""
    best = np.full(rows.size, np.inf)
    nearest = np.zeros(rows.size, dtype=np.int64)
    for number, ((row, column), radius) in enumerate(zip(centres, radii, strict=True)):
        power = (rows - row) ** 2 + (columns - column) ** 2 - radius**2
        closer = power < best
        best[closer], nearest[closer] = power[closer], number
    return nearest


def fill_pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Fill holes that may be a red cell's pale centre, not the gaps enclosed by a ring of cells.

    A ring with a narrow break counts as closed.
    """
    side = max(3, round(0.1 * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    filled = foreground | _pallor(foreground, diameter_px)
    closed = cv2.morphologyEx(filled.astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0
    centres = _pallor(closed, diameter_px)
    rims = cv2.dilate(centres.astype(np.uint8), disc) > 0
    return np.asarray(filled | centres | (rims & closed))


def _pallor(foreground: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the holes that are small enough, and round or tiny."""
    holes = (fill_holes(foreground) & ~foreground).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(holes, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    cell_area = np.pi / 4 * diameter_px**2
    box_area = stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT]
    fill = (area < _PALLOR_SHARE * cell_area) & (area > 0.6 * box_area)
    fill |= area < 0.02 * cell_area
    fill[0] = False
    return np.asarray(fill[labels])


def _is_round(stats: NDArray[np.int32], area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each component's box and filling are those of a disc."""
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    aspect = np.maximum(width, height) / np.minimum(width, height)
    extent = area / (width * height)
    low, high = _ROUND_EXTENT
    return np.asarray((aspect < _ROUND_ASPECT) & (extent > low) & (extent < high) & (area >= 30))


def _cut_by_border(stats: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each component's box touches the border of an image of ``shape``."""
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    inside = (left > 0) & (top > 0) & (right < shape[1]) & (bottom < shape[0])
    return np.asarray(~inside)
