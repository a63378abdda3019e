"""How well found objects agree with true ones: overlap, boundaries, one-to-one pairs, intervals."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, stats

from naturalize import seeds
from naturalize.evaluate.bootstrap import intervals
from naturalize.geometry import Box
from naturalize.segment import Mask

Pixels = NDArray[np.bool_]
Labels = NDArray[np.int32]
Matrix = NDArray[np.float64]

TOLERANCE_PX = 2
MATCH_IOU = 0.5
RESAMPLES = 2000


def iou(one: Pixels, other: Pixels) -> float:
    """Return intersection over union of two masks of one shape; 1 where both are empty."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


def dice(overlap: float) -> float:
    """Return the Dice coefficient that belongs to an intersection over union.

    >>> round(dice(0.5), 3)
    0.667
    """
    return 2 * overlap / (1 + overlap)


def boundary_f1(found: Pixels, truth: Pixels, *, tolerance_px: float = TOLERANCE_PX) -> float:
    """Return the F1 score of the found boundary against the true one.

    Precision is the share of found boundary pixels within ``tolerance_px`` of the true boundary,
    recall the share of true ones within it of the found boundary (Csurka et al. 2013, "What is a
    good evaluation measure for semantic segmentation?", BMVC). Where a mask is cut off by the
    side of the image there is no boundary. 0 where one boundary is empty.

    >>> square = np.zeros((9, 9), dtype=bool)
    >>> square[2:7, 2:7] = True
    >>> boundary_f1(square, square)
    1.0
    """
    ours, theirs = boundary(found), boundary(truth)
    if not ours.any() or not theirs.any():
        return 0.0
    precision = float((ndimage.distance_transform_edt(~theirs)[ours] <= tolerance_px).mean())
    recall = float((ndimage.distance_transform_edt(~ours)[theirs] <= tolerance_px).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(pixels: Pixels) -> Pixels:
    """Return the pixels of a mask that have an edge neighbour outside it, the image's side apart.

    >>> boundary(np.ones((2, 2), dtype=bool)).any()
    np.False_
    """
    return np.asarray(pixels & ~ndimage.binary_erosion(pixels, border_value=1), dtype=np.bool_)


def nearest_mask(masks: list[Mask], truth: Pixels) -> Mask | None:
    """Return the nucleated cell that shares most pixels with a true cell; None if none does.

    A second cell in the picture is neither counted nor held against the segmenter.
    """
    shared = [(int((m.pixels & truth[m.box.slices]).sum()), m) for m in masks if m.kind == "WBC"]
    best = max(shared, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


def nucleus_image(mask: Mask, shape: tuple[int, ...]) -> Pixels:
    """Return the nucleus of ``mask`` on a whole image; all False where it has none."""
    whole = np.zeros(shape[:2], dtype=np.bool_)
    if mask.nucleus is not None:
        whole[mask.box.slices] = mask.nucleus
    return whole


def label_image(masks: list[Mask], shape: tuple[int, ...]) -> Labels:
    """Return disjoint masks as one image of numbers, the first 1, 0 outside."""
    labels = np.zeros(shape[:2], dtype=np.int32)
    for number, mask in enumerate(masks, start=1):
        labels[mask.box.slices][mask.pixels] = number
    return labels


def label_overlaps(one: Labels, other: Labels, counts: tuple[int, int]) -> Matrix:
    """Return the IoU of every object of a label image with every one of another.

    ``counts`` says how many objects each has, numbered from 1; the result has that shape.

    >>> label_overlaps(np.array([[1, 1, 2]]), np.array([[0, 1, 1]]), (2, 1)).tolist()
    [[0.3333333333333333], [0.5]]
    """
    height, width = counts[0] + 1, counts[1] + 1
    pairs = one.astype(np.int64) * width + other
    shared = np.bincount(pairs.ravel(), minlength=height * width).reshape(height, width)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None] - shared
    return np.asarray(shared[1:, 1:] / np.maximum(union[1:, 1:], 1), dtype=np.float64)


def box_overlaps(one: list[Box], other: list[Box]) -> Matrix:
    """Return the IoU of every box of ``one`` with every box of ``other``.

    >>> box_overlaps([Box(0, 0, 2, 2)], [Box(0, 1, 2, 1), Box(5, 5, 1, 1)]).tolist()
    [[0.5, 0.0]]
    """
    a, b = (np.array([(x.top, x.left, x.bottom, x.right) for x in boxes], dtype=np.float64)
            .reshape(-1, 4) for boxes in (one, other))  # fmt: skip
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = [(x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1), dtype=np.float64)


def paired(overlaps: Matrix, *, at_least: float = MATCH_IOU) -> list[tuple[int, int]]:
    """Pair rows and columns one to one: as many pairs of ``at_least`` as there can be.

    Among those the pairing with the greatest sum of overlaps (the assignment problem).

    >>> paired(np.array([[0.9, 0.6], [0.6, 0.1]]))
    [(0, 1), (1, 0)]
    """
    good = overlaps >= at_least
    rows, columns = optimize.linear_sum_assignment(
        np.where(good, len(overlaps) + 1 + overlaps, 0), maximize=True
    )
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if good[r, c]]


def resized_labels(labels: Labels, shape: tuple[int, ...]) -> Labels:
    """Return a label image at the size of an image of ``shape``, no value invented."""
    if labels.shape == shape[:2]:
        return labels
    size = (shape[1], shape[0])
    grown = cv2.resize(labels.astype(np.uint16), size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(grown, dtype=np.int32)


def mean_interval(values: list[float]) -> dict[str, float]:
    """Return the mean with its 95% percentile bootstrap interval over the values."""
    return ratio_interval(values, [1.0] * len(values))


def ratio_interval(parts: list[float], wholes: list[float]) -> dict[str, float]:
    """Return sum(parts) / sum(wholes) with its 95% interval; whole images are resampled."""
    top, bottom = np.array(parts, dtype=np.float64), np.array(wholes, dtype=np.float64)
    drawn = seeds.child(0, "images").integers(top.size, size=(RESAMPLES, top.size))
    draws = top[drawn].sum(axis=1) / np.maximum(bottom[drawn].sum(axis=1), 1)
    value = top.sum() / max(bottom.sum(), 1)
    (found,) = intervals(np.array([value]), draws[:, None], level=0.95)
    return {name: round(getattr(found, name), 4) for name in ("value", "low", "high")}


def share_interval(good: int, n: int) -> dict[str, float | int]:
    """Return good / n with its 95% Wilson interval.

    >>> share_interval(9, 10)
    {'good': 9, 'n': 10, 'value': 0.9, 'low': 0.5958, 'high': 0.9821}
    """
    if n == 0:
        return {"good": 0, "n": 0, "value": 0.0, "low": 0.0, "high": 1.0}
    found = stats.binomtest(good, n).proportion_ci(method="wilson")
    ends = {"value": good / n, "low": found.low, "high": found.high}
    return {"good": good, "n": n, **{name: round(float(v), 4) for name, v in ends.items()}}
