"""Where a nucleated cell ends: the closed curve near its outline across which stain falls most.

Stain that fades slowly, as in the halo around a burst basophil, has no edge and is left out, and so
are hairs. The curve is found by dynamic programming over depths along the outline's normals.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import percentiles
from naturalize.segment.outline import best_closed_path, sampled
from naturalize.segment.regions import (
    bounds,
    fill_holes,
    inner_distance,
    label_areas,
    reached,
    widened,
)
from naturalize.segment.stain import Stain

_DEPTHS_PER_DIAMETER = 60
_OUTWARD, _INWARD = 4, 21
_WINDOW = 3
_POINT_EVERY = 2.5
_HAIR = 0.3
_CORNER = 0.5
_PALE_PERCENTILE = 20
_FLOOR = 0.33
_NOISE = 0.02
_NO_EDGE, _CLEAR_EDGE = 0.1, 0.4
_STEEP = 0.2
_MOVE_COST = 1.0
_CONTACT = 1.5
_SLANT = 0.6
_INSET_PX = 0.25
_BEYOND = 0.5


def settle_edge(
    cell: NDArray[np.bool_],
    nucleus: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    stain: Stain,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return ``cell`` up to its visible edge: one piece that holds the nucleus, without holes.

    All masks are bool (height, width) of a window around the cell; ``taken`` is what belongs to
    others, ``diameter_px`` the diameter of a red cell. Where the cell touches another one the
    outline stays. A side of the window that the cell touches is the image's own: the cell goes on
    beyond it.
    """
    if not any(side.any() for side in (cell[0], cell[-1], cell[:, 0], cell[:, -1])):
        return _settled(cell, nucleus, taken, stain, diameter_px)
    beyond = round(_BEYOND * diameter_px)
    cell, nucleus, taken = (np.pad(mask, beyond, mode="edge") for mask in (cell, nucleus, taken))
    whole = _settled(cell, nucleus, taken, stain.continued(beyond), diameter_px)
    return whole[beyond:-beyond, beyond:-beyond]


def _settled(
    cell: NDArray[np.bool_],
    nucleus: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    stain: Stain,
    diameter_px: float,
) -> NDArray[np.bool_]:
    """Return a cell that lies wholly inside the window up to its visible edge."""
    hair = _HAIR * diameter_px
    body = _without_hairs(cell | nucleus, nucleus, hair)
    step = diameter_px / _DEPTHS_PER_DIAMETER
    points = _outline_points(body, _POINT_EVERY * step)
    inward = _inward_normals(points)
    depth = np.arange(-_OUTWARD - _WINDOW, _INWARD + _WINDOW + 1) * step
    places = (points[:, None] + inward[:, None] * depth[:, None]).astype(np.float32)
    gain = _edges(places, body, stain)
    depth, places = depth[_WINDOW:-_WINDOW], places[:, _WINDOW:-_WINDOW]
    gain -= (_MOVE_COST * np.abs(depth) / diameter_px).astype(np.float32)
    held = _keep_apart(gain, places, depth, body, taken, stain.foreground)
    settled = depth[best_closed_path(gain)] + np.where(held, 0, _INSET_PX)
    ends = points + inward * settled[:, None]
    canvas = np.zeros(body.shape, dtype=np.uint8)
    cv2.fillPoly(canvas, [(ends[:, ::-1] * 16).round().astype(np.int32)], 1, shift=4)
    inside = (canvas > 0) | (inner_distance(nucleus) > 2)
    return _without_hairs(inside, nucleus, hair) & ~taken


def _without_hairs(
    pixels: NDArray[np.bool_], nucleus: NDArray[np.bool_], width_px: float
) -> NDArray[np.bool_]:
    """Return the piece around the nucleus, holes filled, without hairs and blobs on stalks.

    What a disc of ``width_px`` does not reach stays only where it is no longer than it is broad
    where it grows out: corners do. The image's sides cut off none.
    """
    here, shape = bounds(pixels | nucleus), pixels.shape
    pixels, nucleus = pixels[here], nucleus[here]
    frame = round(width_px)
    framed = np.pad(pixels, frame, mode="edge")
    opened = reached(framed, width_px)[frame:-frame, frame:-frame] & pixels
    main = _holding(opened, nucleus)
    labels, areas = label_areas(pixels & ~main)
    near = cv2.dilate(main.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    contact = np.bincount(labels[near & pixels & ~main], minlength=len(areas))
    corners = areas <= _CORNER * contact**2
    corners[0] = False
    return widened(fill_holes(main | np.take(corners, labels)), here, shape)


def _holding(pixels: NDArray[np.bool_], nucleus: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the region that shares most pixels with the nucleus, or the nucleus if none does."""
    labels, areas = label_areas(pixels, connectivity=4)
    shared = np.bincount(labels[nucleus], minlength=len(areas))
    shared[0] = 0
    return np.asarray(labels == shared.argmax()) if shared.any() else nucleus


def _outline_points(body: NDArray[np.bool_], spacing_px: float) -> NDArray[np.float64]:
    """Return points (n, 2) row, column along the outline, about evenly spaced and smoothed."""
    contours, _ = cv2.findContours(body.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(contours, key=len)[:, 0, ::-1].astype(np.float64)
    closed = np.concatenate([line, line[:1]])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0, length[-1], max(12, round(length[-1] / spacing_px)), endpoint=False)
    points = np.stack([np.interp(at, length, closed[:, i]) for i in (0, 1)], axis=1)
    around = [np.roll(points, shift, axis=0) for shift in (-2, -1, 1, 2)]
    return np.asarray(
        0.4 * points + 0.24 * (around[1] + around[2]) + 0.06 * (around[0] + around[3])
    )


def _inward_normals(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors (n, 2) that point into the polygon."""
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    rows, columns = (after - before).T
    doubled_area = np.sum(points[:, 1] * after[:, 0] - after[:, 1] * points[:, 0])
    normals = np.stack([columns, -rows], axis=1) * (1 if doubled_area > 0 else -1)
    return np.asarray(normals / np.maximum(np.hypot(rows, columns), 1e-6)[:, None])


def _edges(
    places: NDArray[np.float32], body: NDArray[np.bool_], stain: Stain
) -> NDArray[np.float32]:
    """Return how clear an edge runs across each place (points, depths) but the outermost three.

    Two shares add up: that of the stain just inside, by which all clear edges are alike, or a cell
    would end at its nucleus; and, weakly, that of all stain farther in.
    """
    deepest = stain.deepest
    density = sampled(deepest, places[..., 0], places[..., 1]) / stain.red_cell_density
    mean = (density[:, :-2] + density[:, 1:-1] + density[:, 2:]) / 3
    fall = (mean[:, 4:] - mean[:, :-4]).clip(0)
    inner = np.maximum(mean[:, 4:], np.pad(mean, ((0, 0), (0, 4)), mode="edge")[:, 8:])
    pale = float(percentiles(deepest[body], _PALE_PERCENTILE)[0]) / stain.red_cell_density
    usual = np.float32(min(pale, 1.0))
    floor = np.float32(_FLOOR * usual + _NOISE)
    clear = (fall / (np.minimum(inner, usual) + floor) - _NO_EDGE) / (_CLEAR_EDGE - _NO_EDGE)
    return np.asarray(clear.clip(0, 1) + _STEEP * fall / (inner + floor), dtype=np.float32)


def _keep_apart(
    gain: NDArray[np.float32],
    places: NDArray[np.float32],
    depth: NDArray[np.floating],
    body: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    foreground: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Hold the outline where other stain lies beside it; bar other cells and the far side.

    Changes ``gain`` (points, depths); returns which of the points are held.
    """
    rows, columns = places[..., 0], places[..., 1]
    beside = np.s_[:, [_OUTWARD - 2]]
    other = (taken | (foreground & ~body)).astype(np.float32)
    held = sampled(other, rows[beside], columns[beside])[:, 0] > 0.5
    gain[held, _OUTWARD] += _CONTACT
    gain[sampled(inner_distance(body), rows, columns) < _SLANT * depth] = -1
    outside = np.s_[:, _OUTWARD - 1 :: -1]
    barred = sampled(taken.astype(np.float32), rows[outside], columns[outside]) > 0.5
    gain[outside][np.maximum.accumulate(barred, axis=1)] = -1
    return held
