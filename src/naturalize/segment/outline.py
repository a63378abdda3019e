"""The outline of a nucleated cell: the best closed curve around its nucleus.

The curve is star-convex about the nucleus: one radius a direction. It is found by dynamic
programming over the directions (Viterbi), as in Bamford and Lovell, "Unsupervised cell nucleus
segmentation with active contours", Signal Processing 71, 1998.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cytoplasm import Likeness
from naturalize.segment.regions import fill_holes, label_areas
from naturalize.segment.stain import Stain

_DIRECTIONS = 72
_STEPS_PER_DIAMETER = 44
_REACH = 2.3
_MAX_TURN = 3
_TURN_COST = 0.25
_EDGE_GAIN = 2.5
_EDGE_CAP = 0.6
_AFAR = 0.25


def outline_cell(
    stain: Stain,
    nucleus: NDArray[np.bool_],
    other_nuclei: NDArray[np.bool_],
    distance: NDArray[np.float32],
    likeness: Likeness,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return the pixels of the cell around ``nucleus``, nucleus included; bool (height, width).

    ``distance`` is that to the nucleus in pixels; ``other_nuclei`` marks pixels that belong to
    other cells for sure; ``diameter_px`` is that of a red cell.
    """
    inner = np.unravel_index(np.flatnonzero(nucleus), nucleus.shape)
    centre = np.array([place.mean() for place in inner])
    step = diameter_px / _STEPS_PER_DIAMETER
    rows, columns = _rays(centre, step)
    density = sampled(stain.density, rows, columns)
    evidence = likeness.of(density)
    evidence -= _AFAR * sampled(distance, rows, columns) / diameter_px
    for mask, value in ((~stain.foreground, -1.0), (other_nuclei, -2.0), (nucleus, 3.0)):
        evidence[sampled(mask.astype(np.uint8), rows, columns, cv2.INTER_NEAREST) > 0] = value
    gain = np.cumsum(evidence, axis=1) / 4 + _EDGE_GAIN * _edge(density / stain.red_cell_density)
    return _filled(best_closed_path(gain), centre, step, stain, nucleus)


def best_closed_path(gain: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return for each row of ``gain`` (directions, radii) the radius of the best smooth path.

    Neighbouring radii differ by at most three steps, and each step of difference costs. The path
    runs around twice, so that its middle round closes.
    """
    n_directions, n_radii = gain.shape
    turns = 2 * n_directions
    cost = (_TURN_COST * np.abs(np.arange(-_MAX_TURN, _MAX_TURN + 1))).astype(np.float32)[:, None]
    padded = np.full(n_radii + 2 * _MAX_TURN, -np.inf, dtype=np.float32)
    before = np.lib.stride_tricks.sliding_window_view(padded, n_radii)
    best = padded[_MAX_TURN:-_MAX_TURN]
    best[:] = gain[0]
    options = np.empty((turns, len(cost), n_radii), dtype=np.float32)
    for turn in range(1, turns):
        np.subtract(before, cost, out=options[turn])
        np.maximum.reduce(options[turn], axis=0, out=best)
        best += gain[turn % n_directions]
    path = np.empty(turns, dtype=np.int64)
    path[-1] = radius = int(best.argmax())
    for turn in range(turns - 1, 0, -1):
        radius += int(options[turn, :, radius].argmax()) - _MAX_TURN
        path[turn - 1] = radius
    middle = n_directions // 2
    return np.roll(path[middle : middle + n_directions], middle)


def _rays(
    centre: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return rows and columns (directions, radii) of the points on rays from ``centre``."""
    angle = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    radius = step * np.arange(1, round(_REACH * _STEPS_PER_DIAMETER) + 1)
    rows = centre[0] + np.sin(angle)[:, None] * radius
    columns = centre[1] + np.cos(angle)[:, None] * radius
    return rows.astype(np.float32), columns.astype(np.float32)


def sampled(
    image: NDArray[np.float32] | NDArray[np.uint8],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    interpolation: int = cv2.INTER_LINEAR,
) -> NDArray[np.float32]:
    """Return samples of ``image``; its border is continued."""
    sampled = cv2.remap(image, columns, rows, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, dtype=np.float32)


def _edge(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much the colour changes across each radius of (directions, radii, 3)."""
    padded = np.pad(density, ((0, 0), (3, 3), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=1)
    window = total[:, 3:] - total[:, :-3]
    change = np.linalg.norm(window[:, 3:] - window[:, :-3], axis=2) / 3
    return np.asarray(change.clip(max=_EDGE_CAP), dtype=np.float32)


def _filled(
    radii: NDArray[np.int64],
    centre: NDArray[np.float64],
    step: float,
    stain: Stain,
    nucleus: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return the foreground inside the curve and the nucleus, as one piece without holes."""
    angle = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    length = (radii + 1) * step
    points = np.stack(
        [centre[1] + np.cos(angle) * length, centre[0] + np.sin(angle) * length], axis=1
    )
    canvas = np.zeros(nucleus.shape, dtype=np.uint8)
    cv2.fillPoly(canvas, [(points * 16).round().astype(np.int32)], 1, shift=4)
    left, top, width, height = cv2.boundingRect(canvas | nucleus)
    here = np.s_[top : top + height, left : left + width]
    pixels = ((canvas[here] > 0) & stain.foreground[here]) | nucleus[here]
    labels, areas = label_areas(pixels)
    holds_nucleus = np.bincount(labels[nucleus[here]], minlength=len(areas)) > 0
    cell = np.zeros_like(nucleus)
    cell[here] = fill_holes(np.take(holds_nucleus, labels))
    return cell
