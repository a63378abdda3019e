"""Cut the train images of a split and fill a bank; no other side is ever opened."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.cutouts.bank import (
    CUTOUT_COLUMNS,
    CUTOUTS,
    DONOR_COLUMNS,
    DONORS,
    STATISTICS,
    TURNED_DOWN,
)
from naturalize.cutouts.cut_image import Pieces, cut_image
from naturalize.cutouts.statistics import FieldStatistics
from naturalize.cutouts.triage import Candidate, triage_areas
from naturalize.datasets.manifest import read_sample, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.segment import SEGMENTERS
from naturalize.split.leak_check import check_donors
from naturalize.split.split import RealSplit
from naturalize.workers import run_all

SHARD_IMAGES = 25
Record = dict[str, Any]


@dataclass(frozen=True)
class _Shard:
    """One piece of work: images to cut, and where their bytes go."""

    number: int
    root: Path
    samples: tuple[Sample, ...]
    segmenter: str
    draft: Path


def make_bank(
    split: Artefact,
    out: Path,
    *,
    segmenter: str = "smear",
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``bank`` artefact of the train images of ``split``.

    The number of ``workers`` changes the time, not the bank. Raises :class:`InputError` for an
    unknown segmenter or when nothing usable was found, :class:`LeakError` if an image that is not
    on the train side would be cut.
    """
    if segmenter not in SEGMENTERS:
        raise InputError("--with", " or ".join(SEGMENTERS), segmenter)
    real = RealSplit.load(split)

    def write(draft: Draft) -> None:
        records = cut_samples(
            real, real.train, draft, segmenter=segmenter, workers=workers, track=track
        )
        _write_tables(draft, records, real)

    request = Request("bank", {"segmenter": segmenter}, {"split": split})
    return build(out, request, write, if_exists=if_exists)


def cut_samples(
    split: RealSplit,
    samples: Sequence[Sample],
    draft: Draft,
    *,
    segmenter: str,
    workers: int,
    track: Track = quiet,
) -> list[Record]:
    """Cut ``samples`` into shard files and return one record an image, in order.

    Raises :class:`LeakError` unless every sample is a train image of ``split``.
    """
    check_donors(split, ((s.id, s.sha256) for s in samples), what="cut")
    shards = [
        _Shard(i, split.root, tuple(samples[s : s + SHARD_IMAGES]), segmenter, draft.path)
        for i, s in enumerate(range(0, len(samples), SHARD_IMAGES))
    ]
    done = run_all(_cut_shard, shards, workers=workers)
    texts = list(track(done, len(shards), f"cut ({SHARD_IMAGES} images a step)"))
    return [record for text in texts for record in json.loads(text)]


def _cut_shard(shard: _Shard) -> str:
    """Cut the images of one shard, unless an interrupted run did; return their records as JSON."""
    return Draft(shard.draft).remember(f"shard-{shard.number}.json", partial(_fill_shard, shard))


def _fill_shard(shard: _Shard) -> str:
    segmenter = SEGMENTERS[shard.segmenter]()
    chunks: list[bytes] = []
    records, offset = [], 0
    for sample in shard.samples:
        pieces = cut_image(sample.id, sample.label, read_sample(shard.root, sample), segmenter)
        record, data = _record(sample, pieces, shard.number, offset)
        chunks += data
        offset += sum(len(chunk) for chunk in data)
        records.append(record)
    stream = io.BytesIO()
    np.save(stream, np.frombuffer(b"".join(chunks), dtype=np.uint8), allow_pickle=False)
    Draft(shard.draft).write(f"shards/{shard.number:05d}.npy", stream.getvalue())
    return json.dumps(records)


def _record(sample: Sample, pieces: Pieces, shard: int, offset: int) -> tuple[Record, list[bytes]]:
    """Return what the tables need of one image, and its bytes in the order of the record."""
    data: list[bytes] = []
    cutouts = []
    for cutout in pieces.cutouts:
        box = cutout.box
        area_px = int(np.count_nonzero(cutout.mask))
        cutouts.append(
            [cutout.id, cutout.kind, cutout.label, sample.id, box.top, box.left, box.height,
             box.width, area_px, shard, offset]
        )  # fmt: skip
        data += [cutout.pixels.tobytes(), cutout.weight.tobytes()]
        offset += area_bytes(box.height, box.width)
    plate = pieces.plate
    tiles = 0 if isinstance(plate, str) else len(plate.tiles)
    if not isinstance(plate, str):
        data.append(plate.tiles.tobytes())
    turned_down = [list(row) for row in pieces.turned_down]
    if isinstance(plate, str):
        turned_down.append([sample.id, "plate", plate])
    coefficients = pieces.surface.coefficients.ravel().tolist()
    donor = [sample.id, sample.sha256, sample.label, *pieces.donor_px, *coefficients]
    record = {
        "cutouts": cutouts,
        "donor": [*donor, tiles, shard, offset],
        "turned_down": turned_down,
        "label": sample.label,
        "subject_kind": pieces.subject_kind,
        "offset": pieces.offset,
        "red_cells": pieces.red_cells,
        "platelets": pieces.platelets,
    }
    return record, data


def area_bytes(height_px: int, width_px: int) -> int:
    """Return how many bytes a cutout takes in a shard: RGB and weight."""
    return height_px * width_px * 4


def _write_tables(draft: Draft, records: list[Record], split: RealSplit) -> None:
    """Decide what only the whole bank can tell, then write its tables and summary."""
    rows = [row for record in records for row in record["cutouts"]]
    turned_down = [row for record in records for row in record["turned_down"]]
    reasons = _unusual_subjects(records)
    candidates = [Candidate(row[0], row[1], row[2], row[8]) for row in rows]
    reasons |= triage_areas([c for c in candidates if c.id not in reasons])
    turned_down += [[row[0], row[1], reasons[row[0]]] for row in rows if row[0] in reasons]
    kept = [row for row in rows if row[0] not in reasons]
    if not any(record["donor"][-3] for record in records) or not any(row[2] for row in kept):
        raise InputError(
            "split", "images with cells on a plain light slide", "none that could be cut"
        )
    draft.write(CUTOUTS, write_table(CUTOUT_COLUMNS, kept))
    draft.write(DONORS, write_table(DONOR_COLUMNS, (record["donor"] for record in records)))
    draft.write(TURNED_DOWN, write_table(["id", "kind", "reason"], turned_down))
    draft.write(STATISTICS, _statistics(records, kept).model_dump_json())
    subjects = Counter(row[2] for row in kept if row[2])
    draft.summary.update(
        classes=list(split.classes),
        images=len(records),
        subjects={label: subjects[label] for label in split.classes},
        bystanders=dict(sorted(Counter(row[1] for row in kept if not row[2]).items())),
        plates=sum(record["donor"][-3] > 0 for record in records),
        turned_down=dict(Counter(f"{row[1]}: {_short(row[2])}" for row in turned_down)),
    )


def _unusual_subjects(records: list[Record]) -> dict[str, str]:
    """Return subjects of another kind than most of their class shows, with the reason."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        kinds[record["label"]][record["subject_kind"]] += 1
    usual = {label: max("WBC", "PLT", key=lambda k: count[k]) for label, count in kinds.items()}
    return {
        row[0]: f"subject of another kind than {usual[row[2]]}, usual in its class"
        for record in records
        for row in record["cutouts"]
        if row[2] and row[1] != usual[row[2]]
    }


def _statistics(records: list[Record], kept: list[list[Any]]) -> FieldStatistics:
    areas = [row[8] for row in kept if row[1] == "RBC"]
    return FieldStatistics(
        red_cells=tuple(record["red_cells"] for record in records),
        platelets=tuple(record["platelets"] for record in records),
        offsets=tuple(record["offset"] for record in records if record["offset"] is not None),
        median_red_cell_area_px=float(np.median(areas)) if areas else None,
    )


def _short(reason: str) -> str:
    """Return a reason without its figures, so that equal reasons can be counted together."""
    words = [word for word in reason.split() if not any(ch.isdigit() for ch in word)]
    return " ".join(words)
