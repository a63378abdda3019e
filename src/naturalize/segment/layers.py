"""Red cells laid one over another: which pixels show which cell, and how plainly."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.bent_discs import BentDiscs
from naturalize.segment.edges import Edges

_EDGE_COUNTS = 0.35
_FACING = 0.3
_MOST_FOREIGN = 0.5
MARGINS = (1.12, 1.06, 1.0)
_FRACTION_BITS = 4


def paint(
    cells: BentDiscs,
    shape: tuple[int, ...],
    step: int,
    names: NDArray[np.int64],
    margins: tuple[float, ...] = MARGINS,
) -> NDArray[np.int32]:
    """Return the name of the cell that each pixel shows, int32 (height, width), 0 for none.

    Where cells overlap, the one with more support is on top; just outside all of them, a pixel
    belongs to the nearest in radii: ``margins`` are multiples of the radii, the largest first. The
    cells are told in pixels ``step`` times as wide.
    """
    labels = np.zeros(shape[:2], dtype=np.int32)
    outlines = cells.outlines()
    middle = (cells.centres + 0.5) * step - 0.5
    order = np.argsort(cells.support, kind="stable")
    for margin in margins:
        corners = middle[:, None] + outlines * np.float32(step * margin)
        fixed = np.rint(corners[..., ::-1] * (1 << _FRACTION_BITS)).astype(np.int32)
        for number in order:
            cv2.fillPoly(labels, [fixed[number]], int(names[number]), shift=_FRACTION_BITS)
    return labels


def covered_shares(cells: BentDiscs, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the share of each cell, on an image of ``shape``, that is another cell's as well."""
    corners = np.rint(cells.centres[:, None] + cells.outlines())[..., ::-1].astype(np.int32)
    count = np.zeros(shape[:2], dtype=np.uint8)
    windows = []
    for outline in corners:
        left, top = outline.min(axis=0).clip(0)
        right, bottom = outline.max(axis=0) + 1
        window = (slice(top, max(bottom, top)), slice(left, max(right, left)))
        inside = np.zeros(count[window].shape, dtype=np.uint8)
        if inside.size:
            cv2.fillPoly(inside, [outline - (left, top)], 1)
        count[window] += inside
        windows.append((window, inside > 0))
    return np.array([(count[w][i] > 1).mean() if i.any() else 0.0 for w, i in windows])


def plain_shares(
    labels: NDArray[np.int32], foreground: NDArray[np.bool_], edges: Edges, n_labels: int
) -> NDArray[np.float64]:
    """Return the share of each label's outline that the image shows, the image's border apart.

    The outline shows where it borders on what is not ``foreground``, and where ``edges`` lie.
    """
    seen = np.zeros(labels.shape, dtype=np.float32)
    rows, columns = np.rint(edges.points).astype(np.int64).T
    np.maximum.at(seen, (rows, columns), edges.weight)
    seen = np.minimum(cv2.dilate(seen, np.ones((3, 3), np.uint8)) / _EDGE_COUNTS, 1)
    length, shown = np.zeros(n_labels), np.zeros(n_labels)
    for one, other in (((slice(1, None),), (slice(-1),)),
                       ((slice(None), slice(1, None)), (slice(None), slice(-1)))):  # fmt: skip
        differ = labels[one] != labels[other]
        bare = ~(foreground[one] & foreground[other])
        value = np.where(bare, 1, np.maximum(seen[one], seen[other]))[differ]
        for side in (labels[one][differ], labels[other][differ]):
            length += np.bincount(side, minlength=n_labels)
            shown += np.bincount(side, weights=value, minlength=n_labels)
    return np.asarray(shown / np.maximum(length, 1))


def foreign_shares(
    labels: NDArray[np.int32], edges: Edges, cells: BentDiscs, first: int
) -> NDArray[np.float64]:
    """Return how much of ``edges`` that no cell explains lie in each, as a share of its outline.

    Cells have the labels from ``first``. Edges that face outward are its own pale centre.
    """
    rows, columns = np.rint(edges.points).astype(np.int64).T
    cell = labels[rows, columns] - first
    inside = cell >= 0
    cell, away = cell[inside], edges.points[inside] - cells.centres[cell[inside]]
    facing = -(away * edges.inward[inside]).sum(axis=1) > _FACING * np.hypot(*away.T)
    weight = edges.weight[inside] * facing
    total = np.bincount(cell, weights=weight, minlength=len(cells))
    return np.minimum(total / (2 * np.pi * cells.waves[:, 0]), _MOST_FOREIGN)
