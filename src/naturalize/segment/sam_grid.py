"""SAM's automatic mode: a grid of points, and what remains of the answers.

After "Segment Anything" (Kirillov et al., 2023, appendix B): answers are kept by predicted IoU and
stability, doubles fall away by their boxes. All of it happens at the decoder's own resolution, on
whole batches, and only what is kept is enlarged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from naturalize.images import Rgb
from naturalize.segment.label_image import typed_masks
from naturalize.segment.mask import Mask
from naturalize.segment.sam_answer import Chosen, Limits, stability
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_prompts import Candidates

_SAME_BOX = 0.7
_AREA_SHARE = (0.0005, 0.4)
_INSIDE = 0.8
_FILLED = 0.7


def passing(candidates: Candidates, frame: Frame, limits: Limits) -> Chosen:
    """Return all candidates of a batch that are good enough and neither speck nor background."""
    seen = frame.seen(candidates.logits)
    predicted = candidates.predicted_iou.astype(np.float64).clip(0, 1)
    stable = stability(seen)
    share = np.count_nonzero(seen > 0, axis=(2, 3)) / (seen.shape[2] * seen.shape[3])
    good = (predicted >= limits.predicted_iou) & (stable >= limits.stability)
    good &= (share >= _AREA_SHARE[0]) & (share <= _AREA_SHARE[1])
    return Chosen(candidates.logits[good], predicted[good], stable[good])


def masks_of_grid(passed: Chosen, rgb: Rgb, frame: Frame) -> list[Mask]:
    """Turn the answers that passed into disjoint masks, typed by their stain."""
    if not len(passed.score):
        return []
    logits, score = passed.logits, passed.score
    found = np.asarray(frame.seen(logits) > 0)
    apart = distinct(boxes_of(found), score)
    apart = apart[whole_objects(found[apart])]
    labels = np.zeros(frame.shape, dtype=np.int32)
    for number, i in enumerate(apart, start=1):
        piece = frame.mask(logits[i])
        if piece is not None:
            box, pixels = piece
            labels[box.slices][pixels & (labels[box.slices] == 0)] = number
    return [_scored(mask, labels, score[apart]) for mask in typed_masks(labels, rgb)]


def boxes_of(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (n, 4) top, left, bottom, right of masks (n, height, width), none of them empty."""
    rows, columns = np.asarray(masks.any(axis=2)), np.asarray(masks.any(axis=1))
    last = [a.shape[1] - a[:, ::-1].argmax(axis=1) for a in (rows, columns)]
    return np.stack([rows.argmax(axis=1), columns.argmax(axis=1), *last], axis=1)


def distinct(boxes: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of boxes (n, 4) kept by non-maximum suppression, best score first.

    A box falls away if its IoU with a better one is above 0.7.

    >>> distinct(np.array([[0, 0, 8, 8], [0, 0, 8, 9], [0, 5, 8, 13]]), np.array([0.8, 0.9, 0.7]))
    array([1, 2])
    """
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    order = np.argsort(-score, kind="stable")
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        upper = np.maximum(boxes[best, :2], boxes[order, :2])
        lower = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (lower - upper).clip(min=0).prod(axis=1)
        order = order[shared <= _SAME_BOX * (area[best] + area[order] - shared)]
    return np.array(kept, dtype=np.int64)


def whole_objects(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the indices of masks (n, height, width) that are objects, in the order given.

    SAM's answers nest. What lies inside another mask is a part of it, as a nucleus is of a cell,
    and falls away; but a mask that two or more others fill is a clump, and falls away itself.
    """
    flat = masks.reshape(len(masks), -1).astype(np.float32)
    area = flat.sum(axis=1)
    inside = (flat @ flat.T) / area[:, None] >= _INSIDE
    inside &= (area[:, None] < area[None]) | (
        (area[:, None] == area[None]) & (np.arange(len(area))[:, None] > np.arange(len(area)))
    )
    left = np.ones(len(masks), dtype=np.bool_)
    for i in np.argsort(-area, kind="stable"):
        parts = inside[:, i] & left
        outermost = parts & ~inside[:, parts].any(axis=1)
        if not left[i] or not parts.any():
            continue
        filled = np.minimum(flat[outermost].sum(axis=0), 1) @ flat[i]
        if np.count_nonzero(outermost) > 1 and filled >= _FILLED * area[i]:
            left[i] = False
        else:
            left &= ~parts
    return np.flatnonzero(left)


def _scored(mask: Mask, labels: NDArray[np.int32], score: NDArray[np.float64]) -> Mask:
    """Return a mask made from a label with the score of the answer that drew the label."""
    numbers = labels[mask.box.slices][mask.pixels]
    return replace(mask, score=float(score[int(numbers[0]) - 1]))
