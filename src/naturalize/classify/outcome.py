"""The files a reading leaves: a table, the same as JSON, a sheet; of fields also COCO."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naturalize.artefact import refuse_existing, write_whole
from naturalize.classify.cell_page import cell_page
from naturalize.classify.cell_table import cell_entry, cells_csv
from naturalize.classify.differential import Differential
from naturalize.classify.field_coco import coco_text
from naturalize.classify.field_page import field_page
from naturalize.classify.read_fields import NoField, ReadField, pooled
from naturalize.classify.reader import Reader
from naturalize.classify.reading import CellReading, unread
from naturalize.errors import InputError

Rows = Sequence[tuple[str, CellReading]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was read, as texts: ``table`` (CSV), ``told`` (JSON values), and further files."""

    rows: Rows
    table: str
    told: Mapping[str, Any]
    files: Mapping[str, str]

    def write(self, table: Path) -> None:
        """Write ``table`` and the other files beside it, with its name and their own suffixes."""
        texts = {table: self.table, table.with_suffix(".json"): json.dumps(self.told, indent=1)}
        texts |= {table.with_suffix(suffix): text for suffix, text in self.files.items()}
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text)


def refuse_outputs(table: Path, *, field: bool, overwrite: bool) -> None:
    """Raise :class:`InputError` where a file that would be written is there, or is no CSV."""
    if table.suffix != ".csv":
        raise InputError("--out", "a file that ends in .csv", table)
    for suffix in (".csv", ".json", ".html", *([".coco.json"] if field else [])):
        refuse_existing(table.with_suffix(suffix), overwrite=overwrite)


def cells_outcome(rows: Rows, reader: Reader, *, title: str) -> Outcome:
    """Return the files of single cells."""
    classes = reader.info.classes
    told = {**_about(reader), "cells": [cell_entry(name, one, classes) for name, one in rows]}
    page = cell_page(rows, reader.info, title=title)
    return Outcome(rows, cells_csv(rows, classes), told, {".html": page})


def fields_outcome(found: Sequence[ReadField | NoField], reader: Reader, *, title: str) -> Outcome:
    """Return the files of fields of view."""
    info, classes = reader.info, reader.info.classes
    fields = [one for one in found if isinstance(one, ReadField)]
    closed = [(one.name, one.reason) for one in found if isinstance(one, NoField)]
    rows = [(one.result.name, cell) for one in fields for cell in one.result.cells]
    rows += [(name, unread(reason)) for name, reason in closed]
    whole = pooled(fields, info)
    results = [one.result for one in fields]
    told = {
        **_about(reader),
        "differential": differential_entry(whole),
        "fields": [
            {
                "path": one.name,
                "red_cells": one.red_cells,
                "platelets": one.platelets,
                "counts": dict(one.counts),
                "differential": differential_entry(one.differential),
            }
            for one in results
        ],
        "cells": [cell_entry(name, cell, classes) for name, cell in rows],
    }
    files = {
        ".html": field_page(results, whole, closed, info, title=title),
        ".coco.json": coco_text([(o.result.name, o.shape, o.objects) for o in fields], classes),
    }
    return Outcome(rows, cells_csv(rows, classes), told, files)


def differential_entry(found: Differential) -> dict[str, Any]:
    """Return a differential as values JSON can hold; percentages and intervals to one decimal."""

    def said(one: Any) -> list[float]:
        return [round(number, 1) for number in (one.value, one.low, one.high)]

    return {
        "leukocytes": found.leukocytes,
        "too_few": found.few,
        "percent_counted": {name: round(value, 1) for name, value in found.counted.items()},
        "percent_corrected": {name: said(one) for name, one in found.percent.items()},
        "nrbc_per_100": None if found.nrbc is None else said(found.nrbc),
    }


def _about(reader: Reader) -> dict[str, Any]:
    info = reader.info
    return {"reader": {"id": reader.id, "coverage": info.coverage, **info.about}}
