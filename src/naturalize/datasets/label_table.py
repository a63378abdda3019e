"""A CSV file of paths and labels: columns ``path,label[,group]``, others are ignored."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from naturalize.datasets.file_tree import below
from naturalize.errors import InputError


@dataclass(frozen=True)
class Labelled:
    """What the table says of one image; no label means the image is set aside."""

    label: str
    group: str


def read_label_table(path: Path) -> dict[str, Labelled]:
    """Return label and group by path below the table's folder.

    An empty group is the image itself. :class:`InputError` names the line of a path that leaves the
    folder, of one given twice and of a row with too few columns.
    """
    rows = _rows(path)
    table: dict[str, Labelled] = {}
    first_line: dict[str, int] = {}
    for line, row in rows:
        name = below(row["path"] or "")
        if name is None:
            expected = f"on line {line} a path below the table's folder"
            raise InputError(str(path), expected, repr(row["path"]))
        key = name.as_posix()
        if key in table:
            expected = "every path once"
            raise InputError(str(path), expected, f"{key} on lines {first_line[key]} and {line}")
        if row["label"] is None:
            raise InputError(str(path), f"on line {line} a path and a label", "a path alone")
        table[key] = Labelled(row["label"].strip(), (row.get("group") or "").strip() or key)
        first_line[key] = line
    if not table:
        raise InputError(str(path), "a table with rows", "a header alone")
    return table


def _rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """Return each row with its line number; the header must name ``path`` and ``label``."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or [])
            if not {"path", "label"} <= set(columns):
                expected = "a comma-separated table with the columns path and label"
                raise InputError(str(path), expected, ", ".join(columns) or "an empty file")
            return [(reader.line_num, row) for row in reader]
    except (OSError, csv.Error) as error:
        raise InputError(str(path), "a readable CSV file", error) from error
