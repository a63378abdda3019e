"""Cells as star-shaped outlines: found by votes, laid one over another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.quantiles import median
from naturalize.segment.cell_net import COARSE, N_RAYS, SEEN, Sight
from naturalize.segment.regions import count_pixels

Inside = tuple[Box, NDArray[np.uint8]]
_MARGIN = 24
_SPREAD = 1.2
_PEAK_SIDE = 9
_LEAST_PEAK = 0.8
_FARTHEST_PX = 10.0
_LEAST_VOTES = 12
_CORNERS = 64
_WAVES = 9
_FRACTION_BITS = 4
_LINE_PX = 0.5
"""How far OpenCV's polygons reach beyond their corners."""
_ANGLES = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
_WAYS = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1)
MARGINS = (1.12, 1.06, 1.0)
_FAR = (2.0, 1.6, 1.3, 1.12, 1.0)


@dataclass(frozen=True, eq=False)
class StarCells:
    """Star-shaped outlines in px of the image.

    ``centres`` float32 (n, 2) are rows and columns; ``rays`` float32 (n, 32) how far each reaches,
    from the column axis towards the rows; ``votes`` int64 (n,) how many places voted for each,
    ``agreement`` float32 (n,) in [0, 1] how well their votes agree.
    """

    centres: NDArray[np.float32]
    rays: NDArray[np.float32]
    votes: NDArray[np.int64]
    agreement: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.votes)

    def chosen(self, which: NDArray[np.int64]) -> StarCells:
        """Return some of the cells."""
        return StarCells(
            self.centres[which], self.rays[which], self.votes[which], self.agreement[which]
        )

    def outlines(self, margin: float = 1.0, *, grown_px: float = 0.0) -> NDArray[np.float32]:
        """Return the corners (row, column) of each outline, float32 (n, 64, 2), smoothed.

        They lie ``margin`` times as far from the centre, and ``grown_px`` farther.
        """
        reach = self._reach * margin + grown_px
        return np.asarray(self.centres[:, None] + reach[..., None] * _WAYS, dtype=np.float32)

    @cached_property
    def _reach(self) -> NDArray[np.float64]:
        waves = np.fft.rfft(self.rays, axis=1)[:, :_WAVES] / N_RAYS
        waves[:, 1:] *= 2
        basis = np.exp(1j * np.outer(np.arange(_WAVES), _ANGLES - np.pi / N_RAYS))
        return np.asarray((waves @ basis).real)


def find_star_cells(sight: Sight, kind: str) -> StarCells:
    """Return the cells of a kind: where votes for a centre meet, with the outline they tell.

    Every place that shows the kind votes; a cell's outline is the median of what its voters tell.
    """
    place = np.nonzero(_shown(sight, kind))
    if len(place[0]) < _LEAST_VOTES:
        return _no_cells()
    told = np.concatenate([one[:, place[0], place[1]] for one in (sight.centres, sight.rays)])
    choice, n_peaks = _choices(told[:2].T, sight.centres.shape[1:])
    order = np.argsort(choice, kind="stable")
    ends = np.searchsorted(choice[order], np.arange(n_peaks + 2))
    groups = (order[start:end] for start, end in pairwise(ends[1:]))
    found = [_agreed(told[:, mine]) for mine in groups if len(mine) >= _LEAST_VOTES]
    return _cells(found, sight.scale) if found else _no_cells()


def paint(
    cells: StarCells, shape: tuple[int, ...], *, margins: tuple[float, ...] = MARGINS
) -> NDArray[np.int32]:
    """Return which cell each pixel shows, numbered from 1: int32 (height, width), 0 for none.

    Where cells overlap, the one whose voters agree better is on top; just outside all of them, a
    pixel belongs to the nearest in radii: ``margins`` are multiples of them, the largest first.
    """
    labels = np.zeros(shape[:2], dtype=np.int32)
    order = np.argsort(cells.agreement, kind="stable")
    for margin in margins:
        outlines = cells.outlines(margin, grown_px=-_LINE_PX)[..., ::-1]
        fixed = np.rint(outlines * (1 << _FRACTION_BITS)).astype(np.int32)
        for number in order:
            cv2.fillPoly(labels, [fixed[number]], int(number) + 1, shift=_FRACTION_BITS)
    return labels


def home_regions(cells: StarCells, regions: NDArray[np.int32], n_regions: int) -> NDArray[np.int64]:
    """Return the region, int64 (n,), that most of each cell lies on, 0 for none.

    ``regions`` int32 (height, width) are numbered from 1 to ``n_regions`` - 1.
    """
    inside = paint(cells, regions.shape, margins=(1.0,))
    pairs = count_pixels(inside * n_regions + regions, (len(cells) + 1) * n_regions)
    pixels = pairs.reshape(len(cells) + 1, n_regions)[1:]
    pixels[:, 0] = 0
    return np.asarray(pixels.argmax(axis=1))


def part_regions(
    regions: NDArray[np.int32], cells: StarCells, least_votes: int
) -> NDArray[np.int32]:
    """Part each region in which several cells of ``least_votes`` or more lie; the others stay."""
    cells = cells.chosen(np.flatnonzero(cells.votes >= least_votes))
    if len(cells) < 2:
        return regions
    n_regions = int(regions.max()) + 1
    several = np.bincount(home_regions(cells, regions, n_regions), minlength=n_regions) > 1
    several[0] = False
    nearest = paint(cells, regions.shape, margins=_FAR)
    parted = np.take(several, regions) & (nearest > 0)
    return np.where(parted, n_regions + nearest, regions).astype(np.int32)


def insides(cells: StarCells, shape: tuple[int, ...]) -> list[Inside]:
    """Return the box each outline spans on an image of ``shape``, empty off it, and 1 within it."""
    outlines = np.rint(cells.outlines()[..., ::-1]).astype(np.int32)
    first, last = outlines.min(axis=1), outlines.max(axis=1) + 1
    found = []
    for outline, (left, top), (right, bottom) in zip(
        outlines, first.tolist(), last.tolist(), strict=True
    ):
        box = Box(top, left, bottom - top, right - left).clipped(*shape[:2])
        inside = np.zeros((box.height, box.width), dtype=np.uint8)
        if inside.size:
            cv2.fillPoly(inside, [outline - (box.left, box.top)], 1)
        found.append((box, inside))
    return found


def covered_shares(outlined: list[Inside], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the share of each of the :func:`insides` that lies in another one as well."""
    count = np.zeros(shape[:2], dtype=np.uint8)
    for box, inside in outlined:
        count[box.slices] += inside
    shares = [(count[box.slices][i > 0] > 1).mean() if i.any() else 0.0 for box, i in outlined]
    return np.array(shares, dtype=np.float64)


def _shown(sight: Sight, kind: str) -> NDArray[np.bool_]:
    """Return bool (h, w): places most of whose pixels show the kind."""
    _, h, w = sight.centres.shape
    most = sight.most == SEEN.index(kind)
    whole = np.zeros((h * COARSE, w * COARSE), dtype=np.uint8)
    whole[: most.shape[0], : most.shape[1]] = most
    count = sum(whole[row::COARSE, column::COARSE] for row, column in np.ndindex(COARSE, COARSE))
    return np.asarray(count > COARSE)


def _choices(votes: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[NDArray[np.int64], int]:
    """Return for each of the ``votes`` (m, 2) the peak it falls to, from 1, 0 for none.

    A peak is where more votes meet than anywhere near. The second answer is how many there are.
    """
    size = shape[0] + 2 * _MARGIN, shape[1] + 2 * _MARGIN
    bins = (np.rint(votes / COARSE).astype(np.int64) + _MARGIN).clip(0, np.array(size) - 1)
    flat = bins[:, 0] * size[1] + bins[:, 1]
    count = np.bincount(flat, minlength=size[0] * size[1]).reshape(size).astype(np.float32)
    smooth = cv2.GaussianBlur(count, (0, 0), _SPREAD)
    largest = cv2.dilate(smooth, np.ones((_PEAK_SIDE, _PEAK_SIDE), np.uint8))
    other = ((smooth < largest) | (smooth < _LEAST_PEAK)).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        other, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    near = distance.ravel()[flat] * COARSE < _FARTHEST_PX
    n_peaks = int(nearest.max()) if not other.all() else 0
    return np.where(near & (n_peaks > 0), nearest.ravel()[flat], 0).astype(np.int64), n_peaks


_Agreed = tuple[NDArray[np.float32], NDArray[np.float32], int, float]


def _agreed(told: NDArray[np.float32]) -> _Agreed:
    """Return centre and rays of one cell, its number of votes, and how well they agree.

    ``told`` (34, n): the row and column of the centre and the rays that each of its places tells.
    """
    usual = median(told)
    off = told - usual[:, None]
    strayed = float(median(np.hypot(off[0], off[1])))
    bent = float(np.abs(off[2:]).mean())
    return usual[:2], usual[2:], told.shape[1], 1 / (1 + (strayed + bent) / 2)


def _cells(found: list[_Agreed], scale: tuple[float, float]) -> StarCells:
    centres, rays, votes, agreement = zip(*found, strict=True)
    to_image = np.array(scale)
    return StarCells(
        np.asarray((np.stack(centres) + 0.5) * to_image - 0.5, dtype=np.float32),
        np.asarray(np.stack(rays) * to_image.mean(), dtype=np.float32),
        np.array(votes),
        np.array(agreement, dtype=np.float32),
    )


def _no_cells() -> StarCells:
    empty = np.zeros((0, 2), np.float32)
    rays = np.zeros((0, N_RAYS), np.float32)
    return StarCells(empty, rays, np.zeros(0, np.int64), np.zeros(0, np.float32))
