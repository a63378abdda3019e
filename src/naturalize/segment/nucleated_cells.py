"""Nucleated cells whole: what the network takes for them, parted where several touch."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.beads import find_beads
from naturalize.segment.cell_net import SEEN, Sight
from naturalize.segment.nucleus import PurpleParts
from naturalize.segment.red_patches import without_red_patches
from naturalize.segment.regions import (
    bounds,
    fill_holes,
    find_boxes,
    inner_distance,
    label_areas,
    number_regions,
    opened,
    widened,
)
from naturalize.segment.slivers import without_slivers
from naturalize.segment.stain import NO_HAEMOGLOBIN, Stain
from naturalize.segment.star_cells import find_star_cells, paint, part_regions
from naturalize.segment.veils import without_veil

_THREAD, _SPUR = 0.25, 0.16
_HAEMOGLOBIN = 0.2
_LEAST_AREA = 0.3
_BARE_AREA = 0.7
_LEAST_VOTES = 50
_NUCLEAR = 0.25
_LARGEST_PLATELET, _MOST_OF_NUCLEUS = 1.0, 0.5
_DARK, _GRAIN, _EVEN = 4.0, 0.03, 0.08
"""Density of a nucleus at least, in units of a red cell's; how wide its density is smoothed, in
diameters of a red cell, and by what share it then changes at most. In PBC's validation images 0.04
to 0.06 for three nuclei taken for platelets, 0.11 and more for platelets."""
_SQUARE, _NEXT = np.ones((5, 5), np.uint8), np.ones((3, 3), np.uint8)
_WIDELY = 2.5
"""Along how many of its widths what is taken for a platelet meets the cell whose cytoplasm it is.
Of fifteen bodies that lay closest against cells in 1,561 train and validation images, platelets
met them along 2.2 at most (edge within 3 px of the cell), cytoplasm along 3.5 and more."""
_BESIDE = 0.2
"""How far around a cell it is looked at what lies beside it, in diameters of a red cell."""
_BLEB = 0.46
"""Purple share of the density of a bleb. In 1,850 of PBC's train and validation images 21 platelets
that hang on cells have .44 at most, seven of eight blebs .49 and more."""
_BEYOND, _VEIL, _HALO, _STUB = 1.1, 0.4, 0.17, 0.12
"""How far beyond its outline, in radii, a cell is looked at again; the share of its cytoplasm's
density that a veil there stays below, and what a halo does anywhere; how wide what is left must be,
in diameters of a red cell."""


def with_nuclei_settled(
    shown: NDArray[np.uint8], parts: PurpleParts, stain: Stain, diameter_px: float
) -> NDArray[np.uint8]:
    """Return what each pixel shows, whatever is a nucleus turned into nucleated cells.

    Where a slide stains nuclei faintly, or out of focus, the network takes cells, or parts of their
    nuclei, for something else.
    """
    if not parts.nuclei.any():
        return shown
    cell = SEEN.index("WBC")
    settled = _with_platelets_settled(shown, parts.nuclei > 0, stain, diameter_px)
    here = bounds(parts.nuclei > 0)
    nuclei = parts.nuclei[here]
    told = np.bincount(nuclei[settled[here] == cell], minlength=int(nuclei.max()) + 1)
    mostly = told > _MOST_OF_NUCLEUS * np.bincount(nuclei.ravel())
    mostly[0] = False
    settled = settled.copy()
    settled[here][np.take(mostly, nuclei)] = cell
    return settled


def _with_platelets_settled(
    shown: NDArray[np.uint8], nucleus: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.uint8]:
    """Return what each pixel shows, platelets that hold a nucleus turned into nucleated cells.

    Platelets hold no nucleus, or are smaller than a red cell and granular.
    """
    disc = np.pi / 4 * diameter_px**2
    platelet, cell = (shown == SEEN.index(kind) for kind in ("PLT", "WBC"))
    if not (platelet & nucleus).any():
        return shown
    pieces, piece_area = label_areas(platelet)
    whole, whole_area = label_areas(platelet | cell)
    nuclear = np.bincount(pieces[nucleus], minlength=len(piece_area))
    home = np.zeros(len(piece_area), dtype=np.int64)
    home[pieces[platelet]] = whole[platelet]
    turned = nuclear > _NUCLEAR * piece_area
    turned[0] = False
    for number in np.flatnonzero(turned):
        if whole_area[home[number]] <= _LARGEST_PLATELET * disc:
            turned[number] = _is_one_nucleus((pieces == number) & nucleus, stain, diameter_px)
    return np.where(np.take(turned, pieces), np.uint8(SEEN.index("WBC")), shown)


def _is_one_nucleus(body: NDArray[np.bool_], stain: Stain, diameter_px: float) -> bool:
    """Whether a body is as dark as a nucleus and even, where a platelet that dark is granular."""
    here = bounds(body, round(diameter_px / 4))
    green = np.ascontiguousarray(stain.density[here][..., 1])
    inner = cv2.erode(body[here].view(np.uint8), _SQUARE) > 0
    if not inner.any():
        return False
    usual = float(green[inner].mean())
    uneven = np.abs(green - cv2.GaussianBlur(green, (0, 0), _GRAIN * diameter_px))[inner].mean()
    return usual > _DARK * stain.red_cell_density and float(uneven) < _EVEN * usual


def with_cytoplasm_settled(
    shown: NDArray[np.uint8], nucleus: NDArray[np.bool_], stain: Stain
) -> NDArray[np.uint8]:
    """Return what each pixel shows, one thing told as a platelet and a nucleated cell made one.

    Blue cytoplasm looks like a platelet, and a giant platelet like a cell; but a platelet that lies
    against a cell meets it along less of its edge. What is told a red cell's and is as blue as
    cytoplasm is treated alike. What holds a ``nucleus``, bool (height, width), is a cell.
    """
    red, platelet, cell = (shown == SEEN.index(kind) for kind in ("RBC", "PLT", "WBC"))
    if not cell.any():
        return shown
    blue = red & (stain.purple > NO_HAEMOGLOBIN * stain.density[..., 1])
    bodies, sizes = label_areas(cell)
    nucleated = np.bincount(bodies[nucleus], minlength=len(sizes)) > 0
    nucleated[0] = False
    whole = np.take(nucleated, bodies)
    cytoplasm = _meeting_widely(platelet, whole) | _meeting_widely(blue, whole)
    giant = _meeting_widely(cell & ~whole, platelet & ~cytoplasm)
    settled = np.where(cytoplasm, np.uint8(SEEN.index("WBC")), shown)
    return np.where(giant, np.uint8(SEEN.index("PLT")), settled)


def _meeting_widely(pixels: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pieces of a mask that lie against another along ``_WIDELY`` of their widths."""
    near = (cv2.dilate(other.view(np.uint8), _NEXT) > 0) & pixels
    if not near.any():
        return near
    here = bounds(pixels)
    pieces, n_pieces = number_regions(pixels[here])
    depth = inner_distance(pixels)[here]
    wide = np.zeros(n_pieces + 1, dtype=np.bool_)
    for number, meets in enumerate(np.bincount(pieces[near[here]])):
        if meets:
            width = 2 * depth[pieces == number].max()
            wide[number] = meets > _WIDELY * width
    return widened(np.take(wide, pieces), here, pixels.shape)


def find_cells(
    shown: NDArray[np.uint8],
    sight: Sight,
    parts: PurpleParts,
    stain: Stain,
    diameter_px: float,
) -> NDArray[np.int32]:
    """Return nucleated cells as labels int32 (height, width), 0 outside.

    ``shown`` uint8 (height, width) tells what each pixel shows, by its place in ``SEEN``. A small
    region without a nucleus is none. ``diameter_px`` is that of a red cell.
    """
    raw = shown == SEEN.index("WBC")
    here = bounds(raw, 2)
    regions, areas = label_areas(fill_holes(opened(raw[here], _THREAD * diameter_px)))
    area = areas / (np.pi / 4 * diameter_px**2)
    nuclear = np.bincount(regions[parts.nuclei[here] > 0], minlength=len(area)) > 0
    kept = (area > np.where(nuclear, _LEAST_AREA, _BARE_AREA)) & (np.arange(len(area)) > 0)
    labels = widened(regions * np.take(kept, regions), here, raw.shape)
    stars = find_star_cells(sight, "WBC")
    parted = part_regions(labels, stars, _LEAST_VOTES)
    within = paint(stars, raw.shape, margins=(_BEYOND,)) > 0
    nuclei = parts.nuclei > 0
    trimmed = _trimmed(parted, within, nuclei, stain, diameter_px)
    _leave_own_parts(trimmed, nuclei, stain, diameter_px)
    return trimmed


def _leave_own_parts(
    labels: NDArray[np.int32], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> None:
    """Take from each cell, in place, what is another thing's; slivers by what lies beside it."""
    margin_px = round(_BESIDE * diameter_px)
    for number, place in enumerate(find_boxes(labels), start=1):
        if place is not None:
            around = Box.of(place).grown(margin_px).clipped(*labels.shape).slices
            for part_of, window in ((_own_part, place), (without_slivers, around)):
                own = labels[window] == number
                kept = part_of(own, nuclei[window], stain.window(window), diameter_px)
                labels[window][own & ~kept] = 0


def _own_part(
    own: NDArray[np.bool_], nuclei: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_]:
    """Return a cell's pixels, bool (h, w), without red cells, veils and thin spurs.

    A body without a nucleus that has the colour of haemoglobin is a red cell's, wholly.
    """
    rest = without_red_patches(own, nuclei, stain, diameter_px)
    rest = opened(without_veil(rest, nuclei, stain, diameter_px), _SPUR * diameter_px) & rest
    if (rest & nuclei).any():
        return rest
    return rest if stain.is_purple(rest, _HAEMOGLOBIN) else np.zeros_like(rest)


def without_beads(
    shown: NDArray[np.uint8], cells: NDArray[np.int32], stain: Stain, diameter_px: float
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return what each pixel shows and the cells, what hangs on a cell by a neck a platelet.

    But for what is as blue as cytoplasm: a bleb of the cell itself.
    """
    beads = find_beads(cells, diameter_px)
    if not beads.any():
        return shown, cells
    pieces, areas = label_areas(beads)
    for piece in range(1, len(areas)):
        own = pieces == piece
        if stain.is_purple(own, _BLEB):
            beads &= ~own
    return np.where(beads, np.uint8(SEEN.index("PLT")), shown), np.where(beads, 0, cells)


def _trimmed(
    labels: NDArray[np.int32],
    within: NDArray[np.bool_],
    nuclei: NDArray[np.bool_],
    stain: Stain,
    diameter_px: float,
) -> NDArray[np.int32]:
    """Return cells without what is no cytoplasm of theirs.

    At their edge that is a halo, hardly darker than the slide. Beyond the outlines that the network
    tells of, which lie ``within``, it is what is far paler, as smeared stain or the stalk of a
    platelet, or has the colour of haemoglobin. A cell without such an outline stays as it is.
    """
    here = bounds(labels > 0)
    numbers, density, inside = labels[here], stain.density[here][..., 1], within[here].copy()
    cytoplasm = (numbers * (inside & ~nuclei[here])).ravel()
    n_labels = int(numbers.max(initial=0)) + 1
    count = np.bincount(cytoplasm, minlength=n_labels)
    total = np.bincount(cytoplasm, density.ravel(), minlength=n_labels)
    usual = np.take(total / np.maximum(count, 1), numbers)
    red = stain.purple[here] < _HAEMOGLOBIN * density
    inside |= np.take(count == 0, numbers)
    cells, width = numbers > 0, _STUB * diameter_px
    firm = cells & (inside | ~((density < _VEIL * usual) | red))
    firm &= inside | opened(firm, width)
    firm &= opened(fill_holes(cells & (density >= _HALO * usual)), width)
    return widened(numbers * firm, here, labels.shape)
