"""Red blood cells: where one ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median
from naturalize.segment.bent_discs import BentDiscs, bend, unsplit
from naturalize.segment.disc_cover import Discs, cover_with_discs, no_discs
from naturalize.segment.edges import Edges, density_edges, outline_edges
from naturalize.segment.layers import covered_shares, foreign_shares, paint, plain_shares
from naturalize.segment.pallor import fill_pallor
from naturalize.segment.red_cell_size import red_cell_diameter
from naturalize.segment.regions import (
    cut_by_border,
    fill_holes,
    inner_distance,
    label_regions,
    reached,
    shrunk,
)

__all__ = ["RedCells", "red_cell_diameter", "split_red_cells"]

_WORKING_DIAMETER = 32
_INNER_WEIGHT = 0.8
_THREAD = 0.12
_SPUR = 0.3
_CORNER_AREA = 0.25
_MOST_TRIMMED = 0.12
_OVERLAP = 0.08
_SINGLE_AREA = 1.1
_LARGE_AREA = 1.6
_CORE = 0.85
_LARGE_SINGLE_AREA = 2.2
_ROUND = 1.2
_NARROW = 0.8
_SINGLE_SOLIDITY = 0.93
_LARGE_PART = 0.8
_CUT_SOLIDITY = 0.98


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells as labels int32 (height, width), 0 outside, and what is known of each label.

    ``touching`` bool (labels + 1): whether the cell was cut from a clump; ``overlapping`` bool:
    whether a notable part of it lies over or under another; ``plain`` float64: the share of its
    outline, the image's border apart, that the image shows, less where outlines of others that none
    of the cells explains run through it. Some labels may have no pixel.
    """

    labels: NDArray[np.int32]
    touching: NDArray[np.bool_]
    overlapping: NDArray[np.bool_]
    plain: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Clumps:
    """Clumps seen in pixels ``step`` times as wide: mask, its edges, the cells that cover it."""

    pixels: NDArray[np.bool_]
    edges: Edges
    cells: BentDiscs
    step: int


def split_red_cells(
    foreground: NDArray[np.bool_],
    diameter_px: float,
    *,
    density: NDArray[np.float32] | None = None,
    other: NDArray[np.bool_] | None = None,
) -> RedCells:
    """Cut ``foreground`` into cells.

    A clump is covered with discs of about a cell's size (:func:`cover_with_discs`), the discs are
    bent to the edges near them, and laid one over another: where two overlap, the one that edges
    support better is on top and keeps all of the overlap. ``density``, float32 (height, width),
    shows the outlines of cells that lie on cells; ``other`` marks pixels of other objects. Threads
    far thinner than a cell belong to none, nor does what lies too far outside every cell.
    """
    filled = _without_threads(fill_pallor(foreground, diameter_px), diameter_px)
    other = np.zeros_like(filled) if other is None else other
    region_of, stats = label_regions(filled)
    clumped = ~_single(region_of, stats, diameter_px)
    clumped[0] = False
    clumps = _clumps(np.take(clumped, region_of), ~filled & ~other, other, density, diameter_px)
    large = stats[:, cv2.CC_STAT_AREA] > _LARGE_AREA * np.pi / 4 * diameter_px**2
    labels = _cut(region_of, clumped, large, clumps)
    touching = np.arange(len(clumped) + len(clumps.cells)) >= len(clumped)
    _trim(labels, stats, clumped, _SPUR * diameter_px / 2)
    return _described(labels, touching, clumps)


def _without_threads(pixels: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Return the mask without slivers, tails and what hangs on by them."""
    side = max(1, round(_THREAD * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0)


def _single(
    region_of: NDArray[np.int32], stats: NDArray[np.int32], diameter_px: float
) -> NDArray[np.bool_]:
    """Whether each region is convex and no larger than one cell; strictly so at the image's border.

    Cells that overlap make a long region as broad as a cell; what is larger but round, or long
    but narrow, is one unusual cell.
    """
    area = stats[:, cv2.CC_STAT_AREA] / (np.pi / 4 * diameter_px**2)
    single = area < _LARGE_SINGLE_AREA
    cut = cut_by_border(stats, region_of.shape) & (area > _LARGE_PART)
    needed = np.where(cut, _CUT_SOLIDITY, _SINGLE_SOLIDITY)
    whole = (region_of > 0).view(np.uint8)
    outlines, _ = cv2.findContours(whole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        column, row = outline[0, 0]
        region = region_of[row, column]
        if not single[region]:
            continue
        hull = cv2.contourArea(cv2.convexHull(outline))
        if hull and cv2.contourArea(outline) < needed[region] * hull:
            single[region] = False
        elif area[region] > _SINGLE_AREA:
            _, axes, _ = cv2.fitEllipse(outline)
            narrow = min(axes) < _NARROW * diameter_px and area[region] < 1.4
            single[region] = max(axes) < _ROUND * min(axes) or narrow
    return np.asarray(single)


def _clumps(
    clumps: NDArray[np.bool_],
    slide: NDArray[np.bool_],
    other: NDArray[np.bool_],
    density: NDArray[np.float32] | None,
    diameter_px: float,
) -> _Clumps:
    """Cover the clumps with cells, on a copy with cells of about 32 pixels."""
    step = max(1, round(diameter_px / _WORKING_DIAMETER))
    share = shrunk(clumps, step)
    small, bare, taken = share > 0.5, shrunk(slide, step) > 0.5, shrunk(other, step) > 0.5
    size = diameter_px / step
    free = cv2.dilate(taken.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    edges = outline_edges(share, free, max(0.7, 0.03 * size))
    if not small.any():
        return _Clumps(small, edges, bend(no_discs(), edges, small.shape), step)
    depth = inner_distance(small)
    if density is not None:
        reduced = cv2.resize(density, small.shape[::-1], interpolation=cv2.INTER_AREA)
        shade = np.asarray(reduced, dtype=np.float32)
        unit = float(median(shade[small]))
        inner = density_edges(shade, free & (depth > 0.06 * size), size, unit)
        edges = edges.joined(inner.weighing(_INNER_WEIGHT))
    discs = cover_with_discs(small, bare, edges, _inscribed(depth, size), size)
    cells = unsplit(bend(discs, edges, small.shape), edges, small.shape, size)
    return _Clumps(small, edges, cells, step)


def _inscribed(depth: NDArray[np.float32], diameter_px: float) -> Discs:
    """Return a disc at each summit of a distance transform, as large as fits and of usual size."""
    centres, radii = _summits(depth, diameter_px)
    usual = np.full(len(radii), 0.47 * diameter_px)
    near = np.clip(radii, 0.3 * diameter_px, 0.62 * diameter_px)
    twice = np.concatenate([centres, centres]).astype(np.float32)
    return Discs(twice, np.concatenate([near, usual]).astype(np.float32))


def _home(
    cells: BentDiscs, region_of: NDArray[np.int32], clumped: NDArray[np.bool_], step: int
) -> NDArray[np.int64]:
    """Return the clump that most of each cell lies on, 0 for none."""
    home = np.zeros(len(cells), dtype=np.int64)
    middle, reach = (cells.centres + 0.5) * step, 0.7 * step * cells.waves[:, 0]
    for number, ((row, column), radius) in enumerate(zip(middle, reach, strict=True)):
        rows = slice(max(0, int(row - radius)), int(row + radius) + 1, step)
        columns = slice(max(0, int(column - radius)), int(column + radius) + 1, step)
        inner = region_of[rows, columns]
        counts = np.bincount(inner.ravel(), minlength=len(clumped)) * clumped
        home[number] = counts.argmax()
    return home


def _cut(
    region_of: NDArray[np.int32],
    clumped: NDArray[np.bool_],
    large: NDArray[np.bool_],
    clumps: _Clumps,
) -> NDArray[np.int32]:
    """Return labels: regions, those of several cells cut up; the cells' numbers come last.

    Of a ``large`` region with one cell, only that cell is kept.
    """
    home = _home(clumps.cells, region_of, clumped, clumps.step)
    count = np.bincount(home, minlength=len(clumped))
    shared = (count > 1) | ((count == 1) & large)
    shared[0] = False
    labels = region_of.copy()
    if shared.any():
        names = len(clumped) + np.arange(len(home))
        painted = paint(clumps.cells, region_of.shape, clumps.step, names)
        np.copyto(labels, painted, where=np.take(shared, region_of))
    if home.any():
        names = np.where(shared[home], len(clumped) + np.arange(len(home)), home)
        core = paint(clumps.cells, region_of.shape, clumps.step, names, (_CORE,))
        np.copyto(labels, core, where=labels == 0)
    return labels


def _described(labels: NDArray[np.int32], touching: NDArray[np.bool_], clumps: _Clumps) -> RedCells:
    """Return the labels with what clumps tell about each; a cell that lies alone shows plainly."""
    cells, shape, step = clumps.cells, clumps.pixels.shape, clumps.step
    first = len(touching) - len(cells)
    plain, covered = np.ones(len(touching)), np.zeros(len(touching))
    if len(cells):
        small = labels[step // 2 :: step, step // 2 :: step][: shape[0], : shape[1]]
        own = clumps.edges.where(cells.owner >= 0)
        shown = plain_shares(small, clumps.pixels, own, len(touching))[first:]
        other = clumps.edges.where(cells.owner < 0)
        plain[first:] = shown * (1 - foreign_shares(small, other, cells, first))
        covered[first:] = covered_shares(cells, shape)
    return RedCells(labels, touching, covered > _OVERLAP, plain)


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


def _trim(
    labels: NDArray[np.int32],
    stats: NDArray[np.int32],
    uneven: NDArray[np.bool_],
    radius_px: float,
) -> None:
    """Take from each ``uneven`` region, in place, spurs that no disc of ``radius_px`` enters.

    They are scraps of other objects. Where they are large, the cell itself is open or bent and
    stays as it is; small corners do not count, nor does the image's border.
    """
    for number in np.flatnonzero(uneven):
        left, top, width, height, _ = (int(v) for v in stats[number])
        window = (slice(top, top + height), slice(left, left + width))
        piece = labels[window] == number
        if not piece.any():
            continue
        rest = piece & ~_covered(piece, window, labels.shape, radius_px)
        spur_of, spur_stats = label_regions(rest)
        spurs = spur_stats[:, cv2.CC_STAT_AREA] > _CORNER_AREA * np.pi * radius_px**2
        spurs[0] = False
        area = spur_stats[spurs, cv2.CC_STAT_AREA].sum()
        if 0 < area < _MOST_TRIMMED * np.count_nonzero(piece):
            labels[window][spurs[spur_of]] = 0


def _covered(
    piece: NDArray[np.bool_],
    window: tuple[slice, slice],
    shape: tuple[int, ...],
    radius_px: float,
) -> NDArray[np.bool_]:
    """Return what discs inside ``piece`` cover; it goes on beyond the image's border."""
    margin = int(np.ceil(radius_px)) + 1
    rooms = [(side.start, length - side.stop) for side, length in zip(window, shape, strict=True)]
    framed = np.pad(fill_holes(piece), [tuple(margin * (r > 0) for r in room) for room in rooms])
    beyond = [tuple(margin * (r == 0) for r in room) for room in rooms]
    framed = np.pad(framed, beyond, mode="edge")
    covered = reached(framed, 2 * radius_px)
    return covered[margin : margin + piece.shape[0], margin : margin + piece.shape[1]]
