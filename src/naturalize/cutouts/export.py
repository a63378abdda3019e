"""The cutouts of a bank as RGBA pictures, one folder a class: what the paper calls its crops."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import Cutout
from naturalize.datasets.manifest import write_table
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

TABLE = "cutouts.csv"
COLUMNS = [
    "file", "class", "kind", "cutout_id", "sample_id", "sample_sha256",
    "top", "left", "height", "width",
]  # fmt: skip
CHUNK = 500


@dataclass(frozen=True)
class _Chunk:
    """One piece of work: the part of a bank to write, and the files of its cutouts by id."""

    number: int
    bank: CutoutBank
    files: dict[str, str]
    draft: Path


def export_cutouts(
    bank: Artefact,
    out: Path,
    *,
    classes: Sequence[str] | None = None,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write an ``export`` artefact: the cutouts of ``bank`` as PNG files with a table of them.

    Each of ``classes`` is a folder: a class of the bank, ``RBC`` or ``PLT`` for red cells and
    platelets beside the subjects, ``OBJ`` for objects that are no blood; by default all of these. A
    picture is cut close to the object, opaque on it and transparent, with no colour, elsewhere.
    Raises :class:`InputError` for a class that the bank does not know.
    """
    loaded = CutoutBank.load(bank)
    known = list(dict.fromkeys([*loaded.classes, *loaded.bystander_kinds]))
    wanted = known if classes is None else list(dict.fromkeys(classes))
    strange = [label for label in wanted if label not in known]
    if strange or not wanted:
        raise InputError("--classes", f"some of {', '.join(known)}", ", ".join(strange) or "none")
    files = file_names(loaded)
    chosen = [row for row in loaded.rows if folder_of(row) in wanted]

    def write(draft: Draft) -> None:
        chunks = [
            _Chunk(number, loaded.only(rows), {row.id: files[row.id] for row in rows}, draft.path)
            for number, start in enumerate(range(0, len(chosen), CHUNK))
            for rows in [chosen[start : start + CHUNK]]
        ]
        done = run_all(_export_chunk, chunks, workers=workers)
        texts = track(done, len(chunks), f"export ({CHUNK} a step)")
        rows = sorted(row for text in texts for row in json.loads(text))
        draft.write(TABLE, write_table(COLUMNS, rows))
        counts = Counter(row[1] for row in rows)
        draft.summary.update(counts={label: counts[label] for label in wanted})

    request = Request("export", {"what": "cutouts", "classes": wanted}, {"bank": bank})
    return build(out, request, write, if_exists=if_exists)


def folder_of(row: CutoutRow) -> str:
    """Return the folder a cutout goes to: its class, or its kind where it is no subject."""
    return row.label or row.kind


def file_names(bank: CutoutBank) -> dict[str, str]:
    """Return the file of each cutout by its id: ``CLASS/IMAGE-NUMBER.png``.

    Names sort by image and number. Where several donors share a name, upper and lower case taken as
    one, eight digits of their digests follow it.
    """
    stems = {row.sample_id: PurePosixPath(row.sample_id).stem for row in bank.donors}
    users = Counter(stem.casefold() for stem in stems.values())
    names = {
        row.sample_id: stem if users[stem.casefold()] == 1 else f"{stem}-{row.sha256[:8]}"
        for row in bank.donors
        for stem in [stems[row.sample_id]]
    }
    return {
        row.id: f"{folder_of(row)}/{names[row.sample_id]}-{int(row.id.rpartition('#')[2]):03d}.png"
        for row in bank.rows
    }


def _export_chunk(chunk: _Chunk) -> str:
    """Write pictures and return their rows as JSON, unless an interrupted run did."""
    return Draft(chunk.draft).remember(
        f"chunk-{chunk.number}.json", partial(_write_pictures, chunk)
    )


def _write_pictures(chunk: _Chunk) -> str:
    rows = []
    for cutout_id, file in chunk.files.items():
        cutout = chunk.bank.cutout(cutout_id)
        rgba, top, left = close_cut(cutout)
        Draft(chunk.draft).write(file, images.encode_png(rgba))
        folder = file.rpartition("/")[0]
        donor = chunk.bank.donor_by_id[cutout.sample_id]
        rows.append(
            [file, folder, cutout.kind, cutout.id, cutout.sample_id, donor.sha256,
             top, left, *rgba.shape[:2]]
        )  # fmt: skip
    return json.dumps(rows)


def close_cut(cutout: Cutout) -> tuple[NDArray[np.uint8], int, int]:
    """Return RGBA uint8 (height, width, 4) of the object alone, and where its corner lay.

    The corner is (top, left) on the donor.
    """
    own = cutout.own_box
    inner = own.moved(-cutout.box.top, -cutout.box.left).slices
    rgba = np.where(cutout.mask[..., None], cutout.rgba(), np.uint8(0))[inner]
    return rgba, own.top, own.left
