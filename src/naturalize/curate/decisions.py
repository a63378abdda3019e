"""Decisions: what a person says about single images; each beats what the preset proposes.

``decisions.csv`` has a row an image, with the columns ``path``, ``decision``, ``label``, ``group``
and ``note``; UTF-8, quoted as RFC 4180 says, so that names may hold commas, quotes and new lines.

========  =====================================================================================
keep      the image stays, whatever was found
drop      the image goes, even if nothing was found
relabel   the image stays and counts for the class ``label``
group     the image stays and shares the leak group ``group``, in place of the one found
========  =====================================================================================

``group`` may be named beside keep and relabel too. The name found for a group joins that group, a
name of its own sets an image apart. Files with the same bytes stay together whatever is decided.
A decision speaks for its own image only: where two copies contradict each other, decide on both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from naturalize.curate.finding import Finding
from naturalize.errors import InputError

Choice = Literal["keep", "drop", "relabel", "group"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
TABLE = "decisions.csv"
UNUSABLE = ("unreadable", "not_an_image")
"""Kinds of finding that leave nothing to decide: there is no picture to keep."""


class Decision(BaseModel):
    """One row of ``decisions.csv``; see the table above."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    decision: Choice
    label: str = ""
    group: str = ""
    note: str = ""


COLUMNS = tuple(Decision.model_fields)


def read_decisions(
    file: Path, *, paths: Collection[str], classes: Collection[str]
) -> dict[str, Decision]:
    """Read a table of decisions about the images ``paths`` of a data set with ``classes``.

    Raises :class:`InputError` naming the row (the header is row 1) for an unknown path, decision or
    class, for one that is missing or does not belong there, and for a path decided twice.
    """
    known = set(paths)
    decided: dict[str, Decision] = {}
    seen: dict[str, int] = {}
    for number, cells in _rows(file):
        where = f"--decisions {file}, row {number}"
        decision = _decision(cells, classes, where)
        if decision.path not in known:
            raise InputError(where, "the path of an image of this data set", decision.path)
        if decision.path in seen:
            raise InputError(where, "each image once", f"the one of row {seen[decision.path]}")
        decided[decision.path] = decision
        seen[decision.path] = number
    return decided


def decisions_table(decisions: Iterable[Decision]) -> str:
    """Return the CSV text of ``decisions.csv``, with the line ends RFC 4180 asks for."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    writer.writerows(list(decision.model_dump().values()) for decision in decisions)
    return buffer.getvalue()


def refuse_unusable(decisions: Mapping[str, Decision], findings: Iterable[Finding]) -> None:
    """Raise :class:`InputError` where a decision would keep a file that cannot be read."""
    for finding in findings:
        decision = decisions.get(finding.path)
        if finding.kind in UNUSABLE and decision is not None and decision.decision != "drop":
            expected = f"drop, since it cannot be used ({finding.reason})"
            raise InputError(f"--decisions, {finding.path}", expected, decision.decision)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the cells of each row that is not empty."""
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (OSError, csv.Error) as error:
        raise InputError(f"--decisions {file}", "a readable CSV file", error) from error
    except ValueError as error:
        raise InputError(f"--decisions {file}", "a header line", "an empty file") from error
    if not {"path", "decision"} <= set(header) <= set(COLUMNS):
        expected = f"the columns {', '.join(COLUMNS)}"
        raise InputError(f"--decisions {file}", expected, ", ".join(header))
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(header):
            where = f"--decisions {file}, row {number}"
            raise InputError(where, f"{len(header)} cells", len(row))
        if row:
            yield number, dict(zip(header, row, strict=True))


def _decision(cells: Mapping[str, str], classes: Collection[str], where: str) -> Decision:
    """Return the decision of one row, or say what is wrong with it."""
    choice, label, group = cells["decision"], cells.get("label", ""), cells.get("group", "")
    if choice not in CHOICES:
        raise InputError(where, f"one of the decisions {', '.join(CHOICES)}", repr(choice))
    if choice == "relabel" and label not in classes:
        expected = f"one of the classes {', '.join(classes)} to relabel to"
        raise InputError(where, expected, repr(label))
    if choice != "relabel" and label:
        raise InputError(where, f"no label beside {choice}", repr(label))
    if choice == "group" and not group:
        raise InputError(where, "the name of a group", "none")
    if choice == "drop" and group:
        raise InputError(where, "no group beside drop", repr(group))
    return Decision(
        path=cells["path"], decision=choice, label=label, group=group, note=cells.get("note", "")
    )
