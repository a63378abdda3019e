"""Nucleated cells and their nuclei against masks drawn by hand (CellaVision, 50 cells)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from naturalize.segment import Mask, Segmenter
from segment_agreement import (
    TOLERANCE_PX,
    boundary_f1,
    dice,
    iou,
    mean_interval,
    nearest_mask,
    nucleus_image,
)
from segment_truth import NUCLEUS, hand_cells

POOR_IOU = 0.7
MEASURES = ("cell_iou", "cell_dice", "cell_bf1", "nucleus_iou", "nucleus_dice", "nucleus_bf1")


@dataclass(frozen=True)
class CellScore:
    """How well one hand-drawn cell was found; all zero where no nucleated cell lies on it."""

    cell_iou: float = 0.0
    cell_dice: float = 0.0
    cell_bf1: float = 0.0
    nucleus_iou: float = 0.0
    nucleus_dice: float = 0.0
    nucleus_bf1: float = 0.0


def cell_overlap(masks: list[Mask], labels: np.ndarray) -> tuple[float, float]:
    """Return the IoU of cell and nucleus for the mask that lies on the hand-drawn cell."""
    found = nearest_mask(masks, labels > 0)
    if found is None:
        return 0.0, 0.0
    cell, nucleus = found.to_image(labels.shape), nucleus_image(found, labels.shape)
    return iou(cell, labels > 0), iou(nucleus, labels == NUCLEUS)


def score_cell(masks: list[Mask], labels: np.ndarray) -> CellScore:
    """Return every measure for the mask that lies on the hand-drawn cell."""
    found = nearest_mask(masks, labels > 0)
    if found is None:
        return CellScore()
    cell, nucleus = cell_overlap(masks, labels)
    return CellScore(
        cell_iou=cell,
        cell_dice=dice(cell),
        cell_bf1=boundary_f1(found.to_image(labels.shape), labels > 0),
        nucleus_iou=nucleus,
        nucleus_dice=dice(nucleus),
        nucleus_bf1=boundary_f1(nucleus_image(found, labels.shape), labels == NUCLEUS),
    )


def measure_masks(segmenter: Segmenter, data: Path, count: int | None) -> dict[str, object]:
    """Score every cell; means with intervals over images, minima, and the poor ones by name."""
    scores = {
        c.name: score_cell(segmenter.segment(c.rgb), c.labels) for c in hand_cells(data, count)
    }
    columns = {name: [getattr(score, name) for score in scores.values()] for name in MEASURES}
    return {
        "images": len(scores),
        "boundary_tolerance_px": TOLERANCE_PX,
        "mean": {name: mean_interval(values) for name, values in columns.items()},
        "min": {name: round(min(values), 4) for name, values in columns.items()},
        "cell_iou_under_0.70": [n for n, s in scores.items() if s.cell_iou < POOR_IOU],
        "nucleus_iou_under_0.70": [n for n, s in scores.items() if s.nucleus_iou < POOR_IOU],
        "per_image": {
            name: {m: round(float(getattr(score, m)), 4) for m in MEASURES}
            for name, score in scores.items()
        },
    }
