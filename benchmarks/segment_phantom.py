"""Every object against the exact masks of phantom images.

A phantom stands in for nothing real: these figures find mistakes of the code, and say little about
slides. An object that the image's side cuts may be matched, but is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from naturalize.segment import KINDS, Kind, Mask, Segmenter
from segment_agreement import (
    MATCH_IOU,
    iou,
    label_image,
    label_overlaps,
    mean_interval,
    nucleus_image,
    paired,
    resized_labels,
    share_interval,
)
from segment_truth import Drawn, phantoms

APART_PX = 4
"""Red cells this near another cell count as touching."""


@dataclass(frozen=True)
class TrueObject:
    """A whole object of a phantom and its mask: IoU 0 where it was missed."""

    kind: Kind
    touching: bool
    overlap: float
    nucleus: float | None


@dataclass(frozen=True)
class FoundObject:
    """A whole mask, and whether a true object of its kind is behind it."""

    kind: Kind
    right: bool


@dataclass(frozen=True)
class PhantomScore:
    """What one image gave: its whole objects, and the whole masks found on it."""

    true: tuple[TrueObject, ...]
    found: tuple[FoundObject, ...]


def score_phantom(masks: list[Mask], drawn: Drawn, shape: tuple[int, ...]) -> PhantomScore:
    """Score the masks found on a phantom, or on a copy of it resized to ``shape``."""
    true, found = [], []
    for kind in KINDS:
        theirs = [m for m in drawn.masks if m.kind == kind]
        ours = [m for m in masks if m.kind == kind]
        labels = resized_labels(label_image(theirs, drawn.rgb.shape), shape)
        overlaps = label_overlaps(labels, label_image(ours, shape), (len(theirs), len(ours)))
        mate = dict(paired(overlaps))
        for i, mask in enumerate(theirs):
            if mask.touches_border:
                continue
            overlap = float(overlaps[i, mate[i]]) if i in mate else 0.0
            nucleus = _nucleus_overlap(mask, ours[mate[i]] if i in mate else None, drawn, shape)
            true.append(TrueObject(kind, is_touching(mask, drawn), overlap, nucleus))
        right = set(mate.values())
        found += [FoundObject(kind, j in right) for j, m in enumerate(ours) if not m.touches_border]
    return PhantomScore(tuple(true), tuple(found))


def is_touching(mask: Mask, drawn: Drawn) -> bool:
    """Whether another object lies over, under or within ``APART_PX`` of a true one."""
    if "overlap" in mask.reasons:
        return True
    side = 2 * APART_PX + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    around = cv2.dilate(mask.to_image(drawn.rgb.shape).astype(np.uint8), disc) > 0
    return any(
        other is not mask and bool((around[other.box.slices] & other.pixels).any())
        for other in drawn.masks
    )


def _nucleus_overlap(
    true: Mask, found: Mask | None, drawn: Drawn, shape: tuple[int, ...]
) -> float | None:
    if true.nucleus is None:
        return None
    if found is None:
        return 0.0
    labels = nucleus_image(true, drawn.rgb.shape).astype(np.int32)
    return iou(resized_labels(labels, shape) > 0, nucleus_image(found, shape))


def summary(scores: Sequence[PhantomScore]) -> dict[str, object]:
    """Return overlaps and counts with their intervals."""
    overlaps = {name: values for name, values in _overlaps(scores).items() if values}
    return {
        "mean": {name: mean_interval(values) for name, values in overlaps.items()},
        "min": {name: round(min(values), 4) for name, values in overlaps.items()},
        "recall": {k: share_interval(sum(v), len(v)) for k, v in _recalled(scores).items()},
        "precision": {k: share_interval(sum(v), len(v)) for k, v in _right(scores).items()},
    }


def headline(scores: Sequence[PhantomScore]) -> dict[str, float]:
    """Return the plain means: overlaps, and recall and precision of red cells."""
    shares: dict[str, list[float]] = {
        **_overlaps(scores),
        "rbc_recall": [float(v) for v in _recalled(scores)["RBC"]],
        "rbc_precision": [float(v) for v in _right(scores)["RBC"]],
    }
    return {name: float(np.mean(values)) for name, values in shares.items() if values}


def _overlaps(scores: Sequence[PhantomScore]) -> dict[str, list[float]]:
    true = [t for score in scores for t in score.true]
    return {
        "cell_iou": [t.overlap for t in true if t.kind == "WBC"],
        "nucleus_iou": [t.nucleus for t in true if t.nucleus is not None],
        "rbc_isolated_iou": [t.overlap for t in true if t.kind == "RBC" and not t.touching],
        "rbc_touching_iou": [t.overlap for t in true if t.kind == "RBC" and t.touching],
        "platelet_iou": [t.overlap for t in true if t.kind == "PLT"],
    }


def _recalled(scores: Sequence[PhantomScore]) -> dict[Kind, list[bool]]:
    true = [t for score in scores for t in score.true]
    return {kind: [t.overlap > 0 for t in true if t.kind == kind] for kind in KINDS}


def _right(scores: Sequence[PhantomScore]) -> dict[Kind, list[bool]]:
    found = [f for score in scores for f in score.found]
    return {kind: [f.right for f in found if f.kind == kind] for kind in KINDS}


def measure_phantom(segmenter: Segmenter, count: int, seed: int) -> dict[str, object]:
    """Score ``count`` phantom images."""
    scores = [
        score_phantom(segmenter.segment(drawn.rgb), drawn, drawn.rgb.shape)
        for drawn in phantoms(count, seed=seed)
    ]
    return {"images": count, "seed": seed, "match_iou": MATCH_IOU, **summary(scores)}
