"""Fields of view whose differential is known: mosaics of single-cell images of the test side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from naturalize.classify.differential import differential
from naturalize.classify.field import read_field
from naturalize.classify.outcome import differential_entry
from naturalize.classify.reader import Reader
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.split.split import RealSplit

ROWS, COLUMNS, FIELDS, SIDE = 3, 4, 10, 360
MIXES: Mapping[str, Mapping[str, int]] = {
    "usual": {"SNE": 62, "LY": 32, "MO": 8, "EO": 5, "BNE": 7, "BA": 2, "ERB": 2, "PLT": 2},
    "left shift": {
        "SNE": 40,
        "BNE": 26,
        "MMY": 10,
        "MY": 10,
        "PMY": 6,
        "LY": 14,
        "MO": 6,
        "ERB": 8,
    },
}
"""Cells of ten fields: of a healthy person, and of one with immature granulocytes in the blood."""


def mosaics(split: RealSplit, mix: Mapping[str, int], name: str) -> list[tuple[Rgb, list[str]]]:
    """Return ten fields of twelve test images each, drawn by ``mix``, and their classes."""
    rng = child(0, "mosaic", name)
    by_class: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in split.test:
        if (sample.height_px, sample.width_px) == (363, 360):
            by_class[sample.label].append(sample)
    drawn = [
        by_class[label][place]
        for label, count in mix.items()
        for place in rng.permutation(len(by_class[label]))[:count]
    ]
    order = rng.permutation(len(drawn))
    each = ROWS * COLUMNS
    return [
        mosaic(split, [drawn[place] for place in order[start : start + each]])
        for start in range(0, FIELDS * each, each)
    ]


def mosaic(split: RealSplit, samples: list[Sample]) -> tuple[Rgb, list[str]]:
    """Return test images side by side, and what they show."""
    pictures = [read_sample(split.root, sample)[:SIDE, :SIDE] for sample in samples]
    rows = [
        np.concatenate(pictures[n : n + COLUMNS], axis=1) for n in range(0, len(pictures), COLUMNS)
    ]
    return np.concatenate(rows, axis=0), [sample.label for sample in samples]


def measure_fields(split: RealSplit, reader: Reader) -> dict[str, Any]:
    """Return the differential of each mix as read, beside the true one."""
    return {name: _measured(split, reader, mix, name) for name, mix in MIXES.items()}


def _measured(
    split: RealSplit, reader: Reader, mix: Mapping[str, int], name: str
) -> dict[str, Any]:
    read: Counter[str] = Counter()
    nucleated, info = 0, reader.info
    for rgb, _ in mosaics(split, mix, name):
        field = read_field(reader, rgb)
        read.update(field.counts())
        nucleated += sum(mask.kind == "WBC" for mask in field.masks)
    found = differential(read, info.classes, info.confusion, rng=child(0, "pooled"))
    exact = [[int(i == j) for j in range(len(info.classes))] for i in range(len(info.classes))]
    truth = differential(mix, info.classes, exact, rng=child(0, "truth"))
    errors = {
        "as counted": [abs(found.counted[k] - truth.counted[k]) for k in found.percent],
        "corrected": [abs(one.value - truth.counted[k]) for k, one in found.percent.items()],
    }
    return {
        "cells_shown": dict(mix),
        "nucleated_cells_found": nucleated,
        "read": differential_entry(found),
        "true_percent": {k: round(v, 1) for k, v in truth.counted.items()},
        "true_nrbc_per_100": round(100 * mix.get("ERB", 0) / truth.leukocytes, 1),
        "mean_error_points": {k: round(float(np.mean(v)), 2) for k, v in errors.items()},
    }
