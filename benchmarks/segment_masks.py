"""Nucleated cells and their nuclei against masks drawn by hand (CellaVision, 50 cells)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from naturalize.segment import Mask, Segmenter
from segment_agreement import (
    TOLERANCE_PX,
    Labels,
    boundary_f1,
    dice,
    iou,
    mean_interval,
    nearest_mask,
    nucleus_image,
)
from segment_truth import NUCLEUS, hand_cells

POOR_IOU = 0.7


@dataclass(frozen=True)
class CellScore:
    """How well one hand-drawn cell was found; all zero where no nucleated cell lies on it.

    ``area`` is the found area over the true one.
    """

    cell_iou: float = 0.0
    cell_dice: float = 0.0
    cell_bf1: float = 0.0
    cell_area: float = 0.0
    nucleus_iou: float = 0.0
    nucleus_dice: float = 0.0
    nucleus_bf1: float = 0.0
    nucleus_area: float = 0.0


MEASURES = tuple(field.name for field in fields(CellScore))


def cell_overlap(masks: list[Mask], labels: Labels) -> tuple[float, float]:
    """Return the IoU of cell and nucleus for the mask that lies on the hand-drawn cell."""
    found = nearest_mask(masks, labels > 0)
    if found is None:
        return 0.0, 0.0
    cell, nucleus = found.to_image(labels.shape), nucleus_image(found, labels.shape)
    return iou(cell, labels > 0), iou(nucleus, labels == NUCLEUS)


def score_cell(masks: list[Mask], labels: Labels) -> CellScore:
    """Return every measure for the mask that lies on the hand-drawn cell."""
    found = nearest_mask(masks, labels > 0)
    if found is None:
        return CellScore()
    parts = {
        "cell": (found.to_image(labels.shape), labels > 0),
        "nucleus": (nucleus_image(found, labels.shape), labels == NUCLEUS),
    }
    scores = {}
    for name, (ours, truth) in parts.items():
        overlap = iou(ours, truth)
        scores[f"{name}_iou"] = overlap
        scores[f"{name}_dice"] = dice(overlap)
        scores[f"{name}_bf1"] = boundary_f1(ours, truth)
        scores[f"{name}_area"] = float(ours.sum() / truth.sum())
    return CellScore(**scores)


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
