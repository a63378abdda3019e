"""The same truth under changes of light, stain, magnification, focus and noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from naturalize import seeds
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import KINDS, Segmenter
from segment_agreement import resized_labels
from segment_boxes import hits
from segment_masks import POOR_IOU, cell_overlap
from segment_phantom import headline, score_phantom
from segment_truth import Drawn, Field, HandCell, fields, hand_cells, phantoms
from segment_variations import VARIATIONS, Change

Row = dict[str, Any]
"""Figures by name; ``poor_cells`` holds the IoU of each cell under .70 by its name."""
UNCHANGED = "unchanged"
FALLS = ("cell_iou", "nucleus_iou", "bccd_rbc_recall")


@dataclass(frozen=True, eq=False)
class Truth:
    """Everything a variation is measured on."""

    cells: Sequence[HandCell]
    fields: Sequence[Field]
    phantoms: Sequence[Drawn]


def load_truth(data: Path, cells: int | None, n_fields: int, n_phantoms: int) -> Truth:
    """Read the images once; they are changed in memory."""
    return Truth(
        list(hand_cells(data, cells)), list(fields(data, n_fields)), list(phantoms(n_phantoms))
    )


def measure_robust(
    segmenter: Segmenter, truth: Truth, names: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Yield the name and the row of each variation; the unchanged images come first."""
    base: Row = {}
    for name in (UNCHANGED, *(n for n in names if n != UNCHANGED)):
        change = VARIATIONS[name]
        row = {
            **_on_cells(segmenter, truth.cells, change),
            **_on_fields(segmenter, truth.fields, change),
            **_on_phantoms(segmenter, truth.phantoms, change),
        }
        row = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        base = base or row
        fall = {f"{key}_fall": round(base[key] - row[key], 4) for key in FALLS if key in row}
        yield name, {**row, **fall}


def _changed(change: Change, name: str, rgb: Rgb) -> Rgb:
    return change(rgb, seeds.child(0, "variation", name))


def _on_cells(segmenter: Segmenter, cells: Sequence[HandCell], change: Change) -> Row:
    if not cells:
        return {}
    overlaps = {}
    for one in cells:
        rgb = _changed(change, one.name, one.rgb)
        labels = resized_labels(one.labels, rgb.shape)
        overlaps[one.name] = cell_overlap(segmenter.segment(rgb), labels)
    cell, nucleus = zip(*overlaps.values(), strict=True)
    return {
        "cell_iou": float(np.mean(cell)),
        "cell_iou_min": min(cell),
        "cells_poor": sum(value < POOR_IOU for value in cell),
        "nucleus_iou": float(np.mean(nucleus)),
        "nucleus_iou_min": min(nucleus),
        "poor_cells": {n: round(v, 3) for n, (v, _) in overlaps.items() if v < POOR_IOU},
    }


def _on_fields(segmenter: Segmenter, some: Sequence[Field], change: Change) -> Row:
    hit, true = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for field in some:
        rgb = _changed(change, field.name, field.rgb)
        factor = rgb.shape[0] / field.rgb.shape[0]
        boxes = {k: [scaled(b, factor) for b in boxes] for k, boxes in field.boxes.items()}
        found = hits(segmenter.segment(rgb), boxes)
        for kind in KINDS:
            hit[kind] += found[kind]
            true[kind] += len(boxes[kind])
    return {f"bccd_{k.lower()}_recall": hit[k] / max(true[k], 1) for k in KINDS} if some else {}


def _on_phantoms(segmenter: Segmenter, some: Sequence[Drawn], change: Change) -> Row:
    scores = []
    for drawn in some:
        rgb = _changed(change, drawn.name, drawn.rgb)
        scores.append(score_phantom(segmenter.segment(rgb), drawn, rgb.shape))
    return {f"phantom_{name}": value for name, value in headline(scores).items()}


def scaled(box: Box, factor: float) -> Box:
    """Return the box on an image magnified by ``factor``.

    >>> scaled(Box(1, 2, 3, 4), 2)
    Box(top=2, left=4, height=6, width=8)
    """
    top, left = round(box.top * factor), round(box.left * factor)
    return Box(top, left, round(box.bottom * factor) - top, round(box.right * factor) - left)
