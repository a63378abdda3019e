"""The tables of a bank: what each image gave, and what only the whole bank can judge."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from naturalize.artefact import Draft
from naturalize.cutouts.bank import (
    CUTOUT_COLUMNS,
    CUTOUTS,
    DONOR_COLUMNS,
    DONORS,
    STATISTICS,
    TURNED_DOWN,
    TURNED_DOWN_COLUMNS,
    shard_path,
)
from naturalize.cutouts.cut_image import Pieces
from naturalize.cutouts.cutout import FULL
from naturalize.cutouts.outline import outline_text
from naturalize.cutouts.statistics import FieldStatistics
from naturalize.cutouts.triage import Candidate, Refusal, TurnedDown, triage_areas
from naturalize.datasets.manifest import write_table
from naturalize.datasets.sample import Sample
from naturalize.geometry import Box
from naturalize.optics import Background

Record = dict[str, Any]
"""What the tables need of one image, as JSON can hold it."""


def record(
    sample: Sample, file: bytes, pieces: Pieces, shard: int, offset: int
) -> tuple[Record, list[bytes]]:
    """Return the record of one image, and its bytes in the order the record tells.

    The image's own ``file`` is among them if it gave a subject.
    """
    data: list[bytes] = []
    cutouts = []
    for cutout in pieces.cutouts:
        area_px = int(np.count_nonzero(cutout.mask))
        place = [*_sides(cutout.box), area_px, shard, offset]
        cutouts.append([cutout.id, cutout.kind, cutout.label, sample.id, *place])
        data += [cutout.pixels.tobytes(), cutout.weight.tobytes()]
        offset += cutout.pixels.size + cutout.weight.size
    tiles = 0
    if pieces.plate is not None:
        tiles = len(pieces.plate.tiles)
        data.append(pieces.plate.tiles.tobytes())
    kept = file if any(cutout.label for cutout in pieces.cutouts) else b""
    data.append(kept)
    coefficients = pieces.surface.coefficients.ravel().tolist()
    donor = [sample.id, sample.sha256, sample.label, *pieces.donor_px, *coefficients]
    made = {
        "cutouts": cutouts,
        "donor": [*donor, tiles, len(kept), shard, offset],
        "turned_down": [_turned_down_row(item) for item in pieces.turned_down],
        "label": sample.label,
        "subject_kind": pieces.subject_kind,
        "offset": pieces.offset,
        "red_cells": pieces.red_cells,
        "platelets": pieces.platelets,
        "objects": pieces.objects,
    }
    return made, data


def write_tables(
    draft: Draft,
    records: list[Record],
    classes: tuple[str, ...],
    *,
    background: Background = "light",
) -> None:
    """Turn down what only the whole bank can judge, then write its tables and summary."""
    rows = [row for record in records for row in record["cutouts"]]
    refusals = _unusual_subjects(records)
    candidates = [Candidate(row[0], row[1], row[2], row[8]) for row in rows]
    refusals |= triage_areas([c for c in candidates if c.id not in refusals])
    kept = [row for row in rows if row[0] not in refusals]
    turned_down = [row for record in records for row in record["turned_down"]]
    turned_down += [
        _turned_down_row(_judged(draft.path, row, refusals[row[0]]))
        for row in rows
        if row[0] in refusals
    ]
    plates = sum(record["donor"][-4] > 0 for record in records)
    reasons = Counter(f"{row[1]}: {row[2]}" for row in turned_down)
    draft.write(CUTOUTS, write_table(CUTOUT_COLUMNS, kept))
    draft.write(DONORS, write_table(DONOR_COLUMNS, (record["donor"] for record in records)))
    draft.write(TURNED_DOWN, write_table(TURNED_DOWN_COLUMNS, turned_down))
    draft.write(STATISTICS, _statistics(records, kept, background).model_dump_json())
    subjects = Counter(row[2] for row in kept if row[2])
    draft.summary.update(
        classes=list(classes),
        images=len(records),
        subjects={label: subjects[label] for label in classes},
        bystanders=dict(sorted(Counter(row[1] for row in kept if not row[2]).items())),
        plates=plates,
        turned_down=dict(reasons.most_common()),
    )


def _sides(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.left, box.height, box.width


def _turned_down_row(item: TurnedDown) -> list[Any]:
    why = [item.refusal.reason, item.refusal.detail]
    return [item.id, item.kind, *why, item.sample_id, *_sides(item.box), item.outline]


def _judged(folder: Path, row: list[Any], refusal: Refusal) -> TurnedDown:
    """Return a cutout that was taken at first as one turned down."""
    name, kind, _, sample_id, top, left, height, width, _, shard, offset = row
    start = offset + height * width * 3
    data = np.load(shard_path(folder, shard), mmap_mode="r", allow_pickle=False)
    weight = data[start : start + height * width].reshape(height, width)
    outline = outline_text(weight == FULL, top, left)
    return TurnedDown(name, kind, refusal, sample_id, Box(top, left, height, width), outline)


def _unusual_subjects(records: list[Record]) -> dict[str, Refusal]:
    """Return subjects of another kind than most of their class shows, with the reason."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        kinds[record["label"]][record["subject_kind"]] += 1
    usual = {
        label: max("WBC", "PLT", "OBJ", key=lambda kind: count[kind])
        for label, count in kinds.items()
    }
    return {
        row[0]: Refusal("unusual kind for its class", f"{usual[row[2]]} is usual in {row[2]}")
        for record in records
        for row in record["cutouts"]
        if row[2] and row[1] != usual[row[2]]
    }


def _statistics(
    records: list[Record], kept: list[list[Any]], background: Background
) -> FieldStatistics:
    areas = [row[8] for row in kept if row[1] == "RBC"]
    return FieldStatistics(
        red_cells=tuple(record["red_cells"] for record in records),
        platelets=tuple(record["platelets"] for record in records),
        offsets=tuple(record["offset"] for record in records if record["offset"] is not None),
        median_red_cell_area_px=float(np.median(areas)) if areas else None,
        objects=tuple(record["objects"] for record in records),
        background=background,
    )
