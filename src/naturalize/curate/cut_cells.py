"""Cells cut by the border of which no whole nucleus shows, told from platelets and red cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.curate.unlike_red_cells import unlikeness
from naturalize.segment import Mask
from naturalize.segment.regions import label_areas
from naturalize.segment.stain import Stain

_UNLIKE = 2.0
_MIN_AREA, _MIN_CUT = 0.1, 0.45
_CHROMATIN, _BARE_CHROMATIN = 0.75, 0.95
"""Optical density in green light that large platelets do not reach, and that few small ones do."""
_SMALL_RADIUS, _CELL_RADIUS, _MAX_RADIUS = 0.35, 0.56, 3.0
_SMALL_AREA = 0.5
_BARE_AREA = 0.2
"""What shows less of a cell, and no chromatin, may be the edge of a bluish red cell."""
_ROUGH, _RAGGED = 0.05, 0.18
_WITHOUT_NUCLEUS = 0.45
"""A cell shows its nucleus by the time this share of it shows."""
_CLEARLY_UNLIKE, _FAIRLY_UNLIKE = 12.0, 5.0
_SMOOTH, _GRAINY = 1.5, 2.6
_FAINT = 0.75
"""Density of the palest cytoplasm, in units of the red cells' own."""


def cut_cells(
    stain: Stain, masks: Sequence[Mask], diameter_px: float
) -> Iterator[NDArray[np.bool_]]:
    """Yield regions at the border that are cells, but in no mask of a nucleated cell.

    Bool (height, width) each. A cell is told by its chromatin, or by cytoplasm that is unlike red
    cells and bounded by the arc of a disc larger than platelets are. ``diameter_px`` is that of a
    red cell.
    """
    unlike, grain = unlikeness(stain, masks, diameter_px)
    free = (unlike > _UNLIKE) & ~_near_nucleated(masks, stain.foreground.shape, diameter_px)
    labels, areas = label_areas(_opened(free, _odd(0.07 * diameter_px)))
    disc = np.pi / 4 * diameter_px**2
    for number in range(1, len(areas)):
        pixels = labels == number
        if areas[number] < _MIN_AREA * disc or cut_px(pixels) < _MIN_CUT * diameter_px:
            continue
        if _is_cell(pixels, stain, unlike, grain, diameter_px):
            yield pixels


def shows_chromatin(pixels: NDArray[np.bool_], stain: Stain, diameter_px: float) -> bool | None:
    """Whether a region the border cuts is a cell by its chromatin, None where it shows none.

    Platelets can be as dark, but their outline is more strongly bent.
    """
    radius, rough = (length / diameter_px for length in fit_circle(_inner_outline(pixels)))
    darkest = float(np.quantile(stain.density[..., 1][pixels], 0.95))
    if darkest <= (_CHROMATIN if radius > _CELL_RADIUS else _BARE_CHROMATIN):
        return None
    return radius > _SMALL_RADIUS and rough < _RAGGED


def is_platelet(pixels: NDArray[np.bool_], diameter_px: float) -> bool:
    """Whether a region the border cuts is as small and as strongly curved as platelets are."""
    small = np.count_nonzero(pixels) < _SMALL_AREA * np.pi / 4 * diameter_px**2
    return bool(small) and fit_circle(_inner_outline(pixels))[0] < _SMALL_RADIUS * diameter_px


def cut_px(pixels: NDArray[np.bool_]) -> int:
    """Return how many pixels of the image's border a mask (height, width) takes."""
    return int(np.count_nonzero(pixels) - np.count_nonzero(pixels[1:-1, 1:-1]))


def fit_circle(points: NDArray[np.float64]) -> tuple[float, float]:
    """Return radius and root mean square distance of the circle through points (n, 2).

    Taubin, IEEE Trans. PAMI 13(11), 1991: hardly biased where the points are a short arc. Fewer
    than five points have a radius of 0.

    >>> angle = np.linspace(0, 1, 20)
    >>> arc = np.stack([7 * np.sin(angle), 7 * np.cos(angle)], axis=1)
    >>> [abs(round(figure, 6)) for figure in fit_circle(arc)]
    [7.0, 0.0]
    """
    if len(points) < 5:
        return 0.0, 0.0
    offset = points - points.mean(axis=0)
    squared = (offset**2).sum(axis=1)
    mean = float(squared.mean())
    scale = 2 * mean**0.5
    design = np.column_stack([(squared - mean) / scale, offset])
    solution = np.linalg.svd(design, full_matrices=False)[2][2]
    bend = solution[0] / scale
    if abs(bend) < 1e-12:
        return float("inf"), 0.0
    centre = -solution[1:] / (2 * bend)
    radius = float((centre @ centre + mean) ** 0.5)
    away = np.hypot(*(offset - centre).T) - radius
    return radius, float((away**2).mean() ** 0.5)


def _is_cell(
    pixels: NDArray[np.bool_],
    stain: Stain,
    unlike: NDArray[np.float32],
    grain: NDArray[np.float32],
    diameter_px: float,
) -> bool:
    by_chromatin = shows_chromatin(pixels, stain, diameter_px)
    if by_chromatin is not None:
        return by_chromatin
    radius, rough = (length / diameter_px for length in fit_circle(_inner_outline(pixels)))
    if not _CELL_RADIUS < radius < _MAX_RADIUS or rough > _ROUGH:
        return False
    area = np.count_nonzero(pixels)
    if area < _BARE_AREA * np.pi / 4 * diameter_px**2:
        return False
    if area > _WITHOUT_NUCLEUS * np.pi * (radius * diameter_px) ** 2:
        return False
    if float(np.median(stain.density[..., 1][pixels])) < _FAINT * stain.red_cell_density:
        return False
    far = float(unlike[pixels].mean())
    grainy = float(np.median(grain[pixels]))
    return grainy > (_SMOOTH if far > _CLEARLY_UNLIKE else _GRAINY) and far > _FAIRLY_UNLIKE


def _near_nucleated(
    masks: Sequence[Mask], shape: tuple[int, ...], diameter_px: float
) -> NDArray[np.bool_]:
    nucleated = np.zeros(shape[:2], dtype=np.uint8)
    for mask in masks:
        if mask.kind == "WBC":
            nucleated[mask.box.slices] |= mask.pixels
    side = _odd(0.1 * diameter_px)
    return np.asarray(cv2.dilate(nucleated, np.ones((side, side), np.uint8)) > 0)


def _inner_outline(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (row, column) of a region's outline without what runs along the image's border."""
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = np.concatenate([contour[:, 0, ::-1] for contour in contours]).astype(np.float64)
    return points[((points > 1) & (points < np.array(pixels.shape) - 2)).all(axis=1)]


def _opened(pixels: NDArray[np.bool_], side_px: int) -> NDArray[np.bool_]:
    """Return the mask without what is thinner than ``side_px``; the border counts as inside."""
    kernel = np.ones((side_px, side_px), np.uint8)
    padded = np.pad(pixels.astype(np.uint8), side_px, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    return np.asarray(opened[side_px:-side_px, side_px:-side_px] > 0)


def _odd(length_px: float) -> int:
    return max(3, round(length_px)) | 1
