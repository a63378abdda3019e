"""The default segmenter: classical, for stained blood smears on a light slide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment.mask import Kind, Mask
from naturalize.segment.nucleus import PurpleParts, find_nuclei, nuclear_pixels
from naturalize.segment.outline import outline_cell
from naturalize.segment.red_cells import red_cell_diameter, split_red_cells
from naturalize.segment.segmenter import Segmenter
from naturalize.segment.stain import Stain, measure_stain

RED_CELL_MICRONS = 7.5
_FALLBACK_DIAMETER = 0.21
_DIAMETERS_PER_NUCLEAR_DEPTH = 2.0


@dataclass(frozen=True)
class Smear(Segmenter):
    """Nuclei by their stain, cells by the best closed curve, red cells by a watershed.

    Sizes are told in diameters of the image's own red cells; ``microns_per_px`` stands in where an
    image shows none. Images of more than ``max_pixels`` are worked on smaller.
    """

    microns_per_px: float | None = None
    max_pixels: int = 1_500_000

    def __post_init__(self) -> None:
        if self.microns_per_px is not None and not self.microns_per_px > 0:
            raise InputError("microns_per_px", "a number above 0, or None", self.microns_per_px)
        if self.max_pixels < 10_000:
            raise InputError("max_pixels", "at least 10,000", self.max_pixels)

    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return disjoint masks: nucleated cells first, then platelets, then red cells."""
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
        return [_enlarged(mask, small.shape, rgb.shape) for mask in self._segment(small)]

    def _segment(self, rgb: Rgb) -> list[Mask]:
        stain = measure_stain(rgb)
        if stain is None:
            return []
        nuclear = nuclear_pixels(stain)
        diameter = red_cell_diameter(stain.foreground, nuclear) or self._usual_diameter(nuclear)
        parts = find_nuclei(stain, nuclear, diameter)
        cells = _nucleated_cells(stain, parts, diameter)
        return [
            *_cell_masks(stain, cells, parts, diameter),
            *_platelet_masks(stain, parts.platelets * (cells == 0), diameter),
            *_red_cell_masks(stain, (cells > 0) | (parts.platelets > 0), diameter),
        ]

    def _usual_diameter(self, nuclear: NDArray[np.bool_]) -> float:
        """Return the diameter in px of a red cell where the image shows none."""
        if self.microns_per_px is not None:
            return RED_CELL_MICRONS / self.microns_per_px
        depth = cv2.distanceTransform(nuclear.astype(np.uint8), cv2.DIST_L2, 3)
        if depth.max() >= 0.03 * min(nuclear.shape):
            return _DIAMETERS_PER_NUCLEAR_DEPTH * float(depth.max())
        return _FALLBACK_DIAMETER * min(nuclear.shape)


def _nucleated_cells(stain: Stain, parts: PurpleParts, diameter_px: float) -> NDArray[np.int32]:
    """Return cells as labels, numbered as their nuclei; a shared pixel goes to the nearer one."""
    labels = np.zeros_like(parts.nuclei)
    nearest = np.full(labels.shape, np.inf, dtype=np.float32)
    for number in range(1, int(parts.nuclei.max()) + 1):
        nucleus = parts.nuclei == number
        others = (parts.nuclei > 0) & ~nucleus
        pixels = outline_cell(stain, nucleus, others, diameter_px)
        distance = cv2.distanceTransform((~nucleus).astype(np.uint8), cv2.DIST_L2, 3)
        closer = pixels & (distance < nearest)
        labels[closer] = number
        nearest[closer] = distance[closer]
    return labels


def _cell_masks(
    stain: Stain, cells: NDArray[np.int32], parts: PurpleParts, diameter_px: float
) -> list[Mask]:
    masks = []
    for number in range(1, int(cells.max()) + 1):
        pixels = _largest_piece(cells == number)
        nucleus = (parts.nuclei == number) & pixels
        if nucleus.any():
            masks.append(_mask("WBC", pixels, nucleus, stain))
    return masks


def _platelet_masks(stain: Stain, labels: NDArray[np.int32], diameter_px: float) -> list[Mask]:
    grown = max(3, round(0.06 * diameter_px)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grown, grown))
    masks = []
    for number in np.unique(labels[labels > 0]):
        pixels = _largest_piece(labels == number)
        if np.count_nonzero(pixels) >= 0.01 * diameter_px**2:
            masks.append(_mask("PLT", pixels, None, stain))
    return masks


def _red_cell_masks(stain: Stain, taken: NDArray[np.bool_], diameter_px: float) -> list[Mask]:
    labels, touching = split_red_cells(stain.foreground & ~taken, diameter_px)
    labels[taken] = 0
    usual = np.pi / 4 * diameter_px**2
    masks = []
    for number in range(1, len(touching)):
        pixels = _largest_piece(labels == number)
        if not 0.15 * usual < np.count_nonzero(pixels) < 2.5 * usual:
            continue
        reasons = ("touching",) if touching[number] else ()
        masks.append(_mask("RBC", pixels, None, stain, reasons))
    return masks


def _mask(
    kind: Kind,
    pixels: NDArray[np.bool_],
    nucleus: NDArray[np.bool_] | None,
    stain: Stain,
    reasons: tuple[str, ...] = (),
) -> Mask:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    box = Box(top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1)
    height, width = pixels.shape
    border = top == 0 or left == 0 or box.bottom == height or box.right == width
    inner = None if nucleus is None else nucleus[box.slices].copy()
    score = _solidity(pixels)
    return Mask(kind, box, pixels[box.slices].copy(), inner, score, border, reasons)


def _solidity(pixels: NDArray[np.bool_]) -> float:
    """Return the share of the convex hull that the pixels fill."""
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    hull = cv2.convexHull(np.concatenate(contours))
    return float(
        min(1.0, sum(cv2.contourArea(c) for c in contours) / max(cv2.contourArea(hull), 1))
    )


def _largest_piece(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8))
    if len(stats) < 2:
        return pixels
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def _enlarged(mask: Mask, small: tuple[int, ...], large: tuple[int, ...]) -> Mask:
    """Return a mask found on a ``small`` copy as one of the ``large`` image.

    Both edges of every small pixel are scaled and rounded alike, so masks stay disjoint.
    """
    rows = _stretched(mask.box.top, mask.box.height, small[0], large[0])
    columns = _stretched(mask.box.left, mask.box.width, small[1], large[1])
    box = Box(
        _edge(mask.box.top, small[0], large[0]),
        _edge(mask.box.left, small[1], large[1]),
        len(rows),
        len(columns),
    )
    nucleus = None if mask.nucleus is None else mask.nucleus[np.ix_(rows, columns)]
    pixels = mask.pixels[np.ix_(rows, columns)]
    return replace(mask, box=box, pixels=pixels, nucleus=nucleus)


def _edge(index: int, small: int, large: int) -> int:
    """Return where the upper edge of pixel ``index`` of a small axis lies on the large one."""
    return (2 * index * large + small) // (2 * small)


def _stretched(start: int, length: int, small: int, large: int) -> NDArray[np.int64]:
    """Return for each pixel of the large axis which of ``length`` small ones covers it."""
    edges = [_edge(start + i, small, large) for i in range(length + 1)]
    return np.repeat(np.arange(length), np.diff(edges))
