"""The default segmenter: classical, for stained blood smears on a light slide."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment.bays import without_bays
from naturalize.segment.cell_net import look, network_digest, shown_by
from naturalize.segment.mask import Kind, Mask
from naturalize.segment.nuclear_size import nucleated_cells_only
from naturalize.segment.nucleated_cells import (
    find_cells,
    with_cytoplasm_settled,
    with_nuclei_settled,
    without_beads,
)
from naturalize.segment.nucleus import PurpleParts, find_nuclei, nuclear_pixels
from naturalize.segment.platelets import find_platelets, with_haze
from naturalize.segment.red_cell_size import LEAST_DIAMETER_PX, red_cell_diameter
from naturalize.segment.red_cells import RedCells, split_red_cells
from naturalize.segment.regions import find_boxes, largest_piece, solidity
from naturalize.segment.segmenter import Segmenter
from naturalize.segment.snap import snapped
from naturalize.segment.stain import NO_HAEMOGLOBIN, Stain, measure_stain
from naturalize.segment.star_cells import find_star_cells

RED_CELL_MICRONS = 7.5
_FALLBACK_DIAMETER = 0.21
_LEAST_RED_CELL_SCORE = 0.28
_USUAL_AREA = 1.6
_LEAST_SEEN, _LEAST_OWN = 0.25, 0.4
"""Of a red cell's usual area what must be seen of one, and of its own what no other covers."""
_LEAST_KEPT = 0.55
"""Of what a red cell's outline holds, how much must be no slide that opens to its edge."""


@dataclass(frozen=True)
class Smear(Segmenter):
    """Stain by colour, cells by a small network taught on composites, red cells parted by votes.

    Sizes are told in diameters of the image's own red cells, or, where ``microns_per_px`` is given,
    of a red cell of 7.5 microns. Images of more than ``max_pixels`` are worked on smaller.
    ``network`` is an ONNX file written by ``teach``; None is the shipped one. A mask's score is its
    solidity, the share of its convex hull that it fills: low where a cut went wrong or the object
    is ragged. A red cell's score tells as well how well the votes for it agree.
    """

    microns_per_px: float | None = None
    max_pixels: int = 1_500_000
    network: str | None = None

    def __post_init__(self) -> None:
        if self.microns_per_px is not None and not self.microns_per_px > 0:
            raise InputError("microns_per_px", "a number above 0, or None", self.microns_per_px)
        if self.max_pixels < 10_000:
            raise InputError("max_pixels", "at least 10,000", self.max_pixels)
        if self.network is not None:
            network_digest(Path(self.network))

    def parameters(self) -> dict[str, object]:
        """Return what decides the masks besides the image; of the network, its digest."""
        return asdict(self) | {"network": network_digest(self._network_file)}

    @property
    def _network_file(self) -> Path | None:
        return None if self.network is None else Path(self.network)

    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return masks: nucleated cells first, then platelets, then red cells."""
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise InputError("rgb", "uint8 (height, width, 3)", f"{rgb.dtype} {rgb.shape}")
        height, width = rgb.shape[:2]
        if min(height, width) < 8:
            return []
        shrink = (self.max_pixels / (height * width)) ** 0.5
        if shrink >= 1:
            return self._segment(rgb)
        size = (max(8, round(width * shrink)), max(8, round(height * shrink)))
        small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        found = self._seen_at(height / size[1])._segment(small)
        return [_enlarged(mask, small.shape, rgb.shape) for mask in found]

    def _seen_at(self, reduction: float) -> Smear:
        """Return the segmenter for the same slide with pixels ``reduction`` times as wide."""
        if self.microns_per_px is None:
            return self
        return replace(self, microns_per_px=self.microns_per_px * reduction)

    def _segment(self, rgb: Rgb) -> list[Mask]:
        stain = measure_stain(rgb)
        if stain is None:
            return []
        nuclear = nuclear_pixels(stain)
        diameter = self.red_cell_diameter_px(stain, nuclear)
        if diameter < LEAST_DIAMETER_PX:
            return []
        parts = find_nuclei(stain, nuclear, diameter)
        sight = look(stain, diameter, self._network_file)
        green = stain.density[..., 1]
        stars = find_star_cells(sight, "RBC")
        stars = snapped(stars, green, diameter, stain.red_cell_density)
        shown = with_nuclei_settled(shown_by(sight, stain.foreground.shape), parts, stain, diameter)
        shown = with_cytoplasm_settled(shown, parts.nuclei > 0, stain)
        cells = find_cells(shown, sight, parts, stain, diameter)
        shown, cells = without_beads(shown, cells, stain, diameter)
        platelets = find_platelets(shown, sight, stain, diameter)
        taken = (cells > 0) | with_haze(platelets > 0, diameter)
        red_cells = split_red_cells(
            stain.foreground & ~taken,
            stars,
            diameter,
            other=taken,
            density=green,
        )
        return [
            *_cell_masks(cells, parts, diameter),
            *_platelet_masks(platelets, diameter),
            *_red_cell_masks(red_cells, stain, ~(stain.foreground | taken), diameter),
        ]

    def red_cell_diameter_px(self, stain: Stain, nuclear: NDArray[np.bool_]) -> float:
        """Return a red cell's diameter in px: as given, as seen, or as pictures usually show it."""
        if self.microns_per_px is not None:
            return float(RED_CELL_MICRONS / self.microns_per_px)
        return (
            nucleated_cells_only(stain.foreground, nuclear)
            or red_cell_diameter(stain.foreground, nuclear, stain.bluish)
            or float(_FALLBACK_DIAMETER * min(nuclear.shape))
        )


def _cell_masks(cells: NDArray[np.int32], parts: PurpleParts, diameter_px: float) -> list[Mask]:
    """Return one mask a cell; one that holds two large nuclei says so."""
    large = 0.5 * np.pi / 4 * diameter_px**2
    masks = []
    for number, window in enumerate(find_boxes(cells), start=1):
        if window is not None:
            pixels = cells[window] == number
            inside = parts.nuclei[window][pixels]
            two = np.count_nonzero(np.bincount(inside)[1:] > large) > 1
            reasons = ("two nuclei",) if two else ()
            masks.append(
                _mask("WBC", pixels, window, cells.shape, nuclei=parts.nuclei, reasons=reasons)
            )
    return masks


def _platelet_masks(platelets: NDArray[np.int32], diameter_px: float) -> list[Mask]:
    masks = [
        _mask("PLT", platelets[window] == number, window, platelets.shape)
        for number, window in enumerate(find_boxes(platelets), start=1)
        if window is not None
    ]
    return [mask for mask in masks if mask.area_px >= 0.012 * diameter_px**2]


def _red_cell_masks(
    cells: RedCells, stain: Stain, slide: NDArray[np.bool_], diameter_px: float
) -> list[Mask]:
    """Return one mask a red cell, of those that are likely right.

    The score is how well the votes agree, less where what is seen of the cell alone is no rounded
    whole or very large. A cell over or under another is told whole, what they share included; one
    of which others take most is none, nor is an outline that is nearly half ``slide`` at its edge.
    """
    shape = cells.labels.shape
    usual = np.pi / 4 * diameter_px**2
    masks = []
    for number, window in enumerate(cells.boxes, start=1):
        if window is None:
            continue
        said = {"touching": cells.touching[number], "overlap": cells.overlapping[number]}
        reasons = tuple(reason for reason, holds in said.items() if holds)
        own = window, cells.labels[window] == number
        mask = _mask("RBC", own[1], window, shape, reasons=reasons)
        score = mask.score**2 * float(cells.agreement[number])
        score *= min(1.0, _USUAL_AREA * usual / mask.area_px)
        seen = _LEAST_SEEN * usual < mask.area_px < 2.5 * usual
        if not seen or score <= _LEAST_RED_CELL_SCORE or _is_purple(mask, stain):
            continue
        place, pixels = cells.whole.get(number, own)
        kept = without_bays(pixels, slide[place], place, shape, diameter_px)
        outlined = np.count_nonzero(pixels)
        if mask.area_px > _LEAST_OWN * outlined and np.count_nonzero(kept) > _LEAST_KEPT * outlined:
            whole = _mask("RBC", kept, place, shape, reasons=reasons)
            masks.append(replace(whole, score=score))
    return masks


def _is_purple(mask: Mask, stain: Stain) -> bool:
    """Whether a mask holds far more stain than haemoglobin explains: a scrap of another object."""
    rows, columns = mask.box.slices
    third = stain.window((slice(rows.start, rows.stop, 3), columns))
    return third.is_purple(mask.pixels[::3], NO_HAEMOGLOBIN)


def _mask(
    kind: Kind,
    pixels: NDArray[np.bool_],
    window: tuple[slice, ...],
    shape: tuple[int, ...],
    *,
    nuclei: NDArray[np.int32] | None = None,
    reasons: tuple[str, ...] = (),
) -> Mask:
    """Return the largest piece of ``pixels``, which lie in ``window`` on an image of ``shape``."""
    piece = largest_piece(pixels)
    inner = Box.around(piece)
    own = piece[inner.slices]
    box = inner.moved(window[0].start, window[1].start)
    nucleus = None if nuclei is None else (nuclei[box.slices] > 0) & own
    border = box.top == 0 or box.left == 0 or box.bottom == shape[0] or box.right == shape[1]
    return Mask(kind, box, own.copy(), nucleus, solidity(own), border, reasons)


def _enlarged(mask: Mask, small: tuple[int, ...], large: tuple[int, ...]) -> Mask:
    """Return a mask found on a ``small`` copy as one of the ``large`` image.

    Both edges of every small pixel are scaled and rounded alike, so disjoint masks stay so.
    """
    rows = _stretched(mask.box.top, mask.box.height, small[0], large[0])
    columns = _stretched(mask.box.left, mask.box.width, small[1], large[1])
    box = Box(
        _scaled(mask.box.top, small[0], large[0]),
        _scaled(mask.box.left, small[1], large[1]),
        len(rows),
        len(columns),
    )
    nucleus = None if mask.nucleus is None else mask.nucleus[np.ix_(rows, columns)]
    pixels = mask.pixels[np.ix_(rows, columns)]
    return replace(mask, box=box, pixels=pixels, nucleus=nucleus)


def _scaled(index: int, small: int, large: int) -> int:
    """Return where the upper edge of pixel ``index`` of a small axis lies on the large one."""
    return (2 * index * large + small) // (2 * small)


def _stretched(start: int, length: int, small: int, large: int) -> NDArray[np.int64]:
    """Return for each pixel of the large axis which of ``length`` small ones covers it."""
    edges = [_scaled(start + i, small, large) for i in range(length + 1)]
    return np.repeat(np.arange(length), np.diff(edges))
