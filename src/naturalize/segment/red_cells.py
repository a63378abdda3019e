"""Red blood cells: how large they are, and where one ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from naturalize.segment.regions import fill_holes, inner_distance, label_regions

_ROUND_ASPECT = 1.35
_ROUND_EXTENT = (0.68, 0.86)
_PALLOR_SHARE = 0.35
_NUCLEUS_AREAS = 1.8
_LONG = 1.3


def red_cell_diameter(
    foreground: NDArray[np.bool_], nuclear: NDArray[np.bool_], bluish: NDArray[np.bool_]
) -> float | None:
    """Return the median diameter in pixels of the red cells, None where nothing tells it.

    ``nuclear`` marks pixels of nuclei and platelets, ``bluish`` those that haemoglobin does not
    colour, for sure or perhaps. The thickness of all red cells, clumps included,
    tells the scale; whole single round cells of about that size then tell the diameter. A nucleus
    warns of a scale that is far too small.
    """
    filled = fill_holes(foreground)
    scale = max(
        _typical_thickness(filled, nuclear),
        _typical_thickness(filled, nuclear | bluish),
        0.7 * _nuclear_scale(nuclear),
    )
    labels, stats = label_regions(filled)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    nuclear_share = np.bincount(labels[nuclear], minlength=len(area)) / area
    diameter = 2 * np.sqrt(area / np.pi)
    single = (nuclear_share < 0.05) & _is_round(stats, area) & ~_cut_by_border(stats, labels.shape)
    single &= (diameter > 0.65 * scale) & (diameter < 2.5 * scale)
    single[0] = False
    usual = single & (diameter < 1.4 * scale)
    if single.any():
        return float(np.median(diameter[usual if usual.any() else single]))
    return scale if 6 <= scale <= 0.6 * min(foreground.shape) else None


def _nuclear_scale(nuclear: NDArray[np.bool_]) -> float:
    """Return the red cell diameter at which the largest nucleus would have its usual size."""
    _, stats = label_regions(nuclear)
    largest = stats[1:, cv2.CC_STAT_AREA].max(initial=0)
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
    summits, radii = _summits(inner_distance(filled), diameter_px)
    clump_of, stats = label_regions(filled)
    home = clump_of[summits[:, 0], summits[:, 1]]
    per_clump = np.bincount(home, minlength=len(stats))
    first = np.zeros(len(stats), dtype=np.int32)
    first[home] = np.arange(1, len(home) + 1)
    first[0] = 0
    labels = first[clump_of]
    for clump in np.flatnonzero(per_clump > 1):
        rows, columns = np.nonzero(clump_of == clump)
        members = np.flatnonzero(home == clump)
        nearest = _nearest_disc(rows, columns, summits[members], radii[members])
        labels[rows, columns] = 1 + members[nearest]
    return _long_pieces_cut(labels, np.append(False, per_clump[home] > 1), diameter_px)


def _long_pieces_cut(
    labels: NDArray[np.int32], touching: NDArray[np.bool_], diameter_px: float
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Cut pieces too large and too long for one cell across their long axis, into equal areas.

    Cells that overlap by half have one summit only; their length gives them away.
    """
    cut = list(touching)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = np.nonzero(labels[window] == number) if window else ((), ())
        parts = round(len(rows) / (np.pi / 4 * diameter_px**2))
        if window is None or parts < 2:
            continue
        points = np.stack([rows, columns], axis=1) - np.mean([rows, columns], axis=1)
        spread, axes = np.linalg.eigh(points.T @ points)
        if spread[1] < _LONG**2 * spread[0]:
            continue
        along = points @ axes[:, 1]
        piece = np.searchsorted(np.quantile(along, np.arange(1, parts) / parts), along)
        names = np.array([number, *range(len(cut), len(cut) + parts - 1)], dtype=np.int32)
        labels[window][rows, columns] = names[piece]
        cut[number] = True
        cut.extend([True] * (parts - 1))
    return labels, np.array(cut, dtype=np.bool_)


def _summits(
    depth: NDArray[np.float32], diameter_px: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (row, column) and height of the summits of a distance transform."""
    smooth = np.asarray(cv2.GaussianBlur(depth, (0, 0), max(0.04 * diameter_px, 0.5)))
    side = max(3, round(0.35 * diameter_px)) | 1
    peaks = (smooth >= cv2.dilate(smooth, np.ones((side, side), np.uint8))) & (
        depth > 0.15 * diameter_px
    )
    count, _, _, centres = cv2.connectedComponentsWithStats(peaks.astype(np.uint8))
    points = centres[1:count, ::-1].round().astype(np.int64)
    return points, smooth[points[:, 0], points[:, 1]].astype(np.float64)


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
    """Return the gaps that are small enough, and round or tiny; the border may cut them."""
    labels, stats = label_regions(~foreground, connectivity=4)
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
