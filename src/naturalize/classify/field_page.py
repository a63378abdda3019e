"""The page of a differential: percentages with intervals, and each field with its cells boxed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from naturalize.classify.cell_page import FOOTER, explained, foreign, in_order, sheet_sections
from naturalize.classify.differential import FEWEST, Differential
from naturalize.classify.reader_info import ReaderInfo
from naturalize.classify.reading import CellReading, FieldReading
from naturalize.images import Rgb, encode_jpeg
from naturalize.page.block import Block, Callout, KeyFigure, KeyFigures, Prose
from naturalize.page.figure import Figure
from naturalize.page.interval_plot import interval_plot
from naturalize.page.page import Section, render_page
from naturalize.page.table import Table

MOST_FIELDS = 40
"""Of a page; all are in the JSON and the CSV."""
_SHOWN_PX = 1200
_COLOURS = {"RBC": (213, 94, 0), "PLT": (0, 130, 90)}
_READ, _DOUBT = (0, 80, 200), (200, 0, 120)


@dataclass(frozen=True, eq=False)
class FieldResult:
    """One field as it is reported: its counts, its differential, a picture with boxes."""

    name: str
    cells: Sequence[CellReading]
    red_cells: int
    platelets: int
    counts: Mapping[str, int]
    differential: Differential
    picture: bytes


def drawn(rgb: Rgb, field: FieldReading) -> bytes:
    """Return a JPEG of the field with a box round every cell, those to be looked at in magenta."""
    scale = min(1.0, _SHOWN_PX / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    labels = [*field.cells, *[None] * (len(field.masks) - len(field.cells))]
    for mask, cell in reversed(list(zip(field.masks, labels, strict=True))):
        box = mask.box
        top, left = round(box.top * scale), round(box.left * scale)
        corner = (round(box.right * scale), round(box.bottom * scale))
        colour = _COLOURS.get(mask.kind, _READ)
        if cell is not None and cell.review:
            colour = _DOUBT
        cv2.rectangle(picture, (left, top), corner, colour, 1 if cell is None else 2, cv2.LINE_AA)
        if cell is not None:
            _word(picture, cell.label, (left, max(14, top - 5)), colour)
    return encode_jpeg(np.asarray(picture, np.uint8), quality=85)


def field_page(
    fields: Sequence[FieldResult],
    pooled: Differential,
    unread: Sequence[tuple[str, str]],
    info: ReaderInfo,
    *,
    title: str,
) -> str:
    """Return the HTML page of some fields; ``unread`` are (name, why) of files without a field."""
    rows = [(field.name, cell) for field in fields for cell in field.cells]
    doubtful = in_order([row for row in rows if row[1].review])
    plain = sorted((row for row in rows if not row[1].review), key=lambda row: row[1].label)
    sections = [
        Section("Differential", _pooled_blocks(fields, pooled, len(doubtful))),
        *(Section(field.name, _field_blocks(field)) for field in fields[:MOST_FIELDS]),
        *sheet_sections(doubtful, plain),
        *([_unread_section(unread)] if unread else []),
        Section("How to read this page", (Prose(f"{_COUNTED}\n\n{explained(info)}"),)),
    ]
    return render_page(
        title, sections, subtitle="Fields of view, read. Research use only.", footer=FOOTER
    )


_COUNTED = (
    "Percentages are of leukocytes; erythroblasts, platelets and red cells are counted apart, and "
    "cells cut by the border of a field are read but not counted. As counted: the cells as they "
    "were read. Corrected: with the reader's own confusions on validation images taken out; the "
    "intervals hold the error of counting so few cells as well as that of reading them. IG: "
    "promyelocytes, myelocytes and metamyelocytes together.\n\n"
    "On the pictures: nucleated cells in blue, those to be looked at in magenta, red cells in "
    "orange, platelets in green."
)


def differential_table(found: Differential) -> Table:
    """Return the percentages of a differential, as counted and corrected."""
    rows = [
        [name, f"{found.counted[name]:.1f}", f"{one.value:.1f}", f"{one.low:.1f} to {one.high:.1f}"]
        for name, one in found.percent.items()
    ]
    columns = ["% of leukocytes", "as counted", "corrected", "95% interval"]
    return Table(columns, rows, numeric=(1, 2, 3))


def _pooled_blocks(
    fields: Sequence[FieldResult], pooled: Differential, doubtful: int
) -> tuple[Block, ...]:
    nrbc = "none" if pooled.nrbc is None else f"{pooled.nrbc.value:.1f}"
    remark = "" if pooled.nrbc is None else f"{pooled.nrbc.low:.1f} to {pooled.nrbc.high:.1f}"
    figures = (
        KeyFigure("fields", f"{len(fields):,}"),
        KeyFigure("leukocytes", f"{pooled.leukocytes:,}"),
        KeyFigure("NRBC per 100 leukocytes", nrbc, remark),
        KeyFigure("red cells", f"{sum(field.red_cells for field in fields):,}"),
        KeyFigure("platelets", f"{sum(field.platelets for field in fields):,}"),
        KeyFigure("to be looked at", f"{doubtful:,}"),
    )
    cells = [cell for field in fields for cell in field.cells]
    blocks: list[Block] = [KeyFigures(figures), *foreign(cells)]
    if pooled.few:
        words = (
            f"Leukocytes: {pooled.leukocytes:,}. This is too few for a differential, which needs "
            f"at least {FEWEST}. The percentages say little."
        )
        blocks.append(Callout(words, "warning"))
    if pooled.leukocytes:
        plot = interval_plot(
            list(pooled.percent.items()),
            title="Differential count",
            x_label="% of leukocytes, corrected",
            digits=1,
        )
        blocks += [Figure(plot), differential_table(pooled)]
    return tuple(blocks)


def _field_blocks(field: FieldResult) -> tuple[Block, ...]:
    read = ", ".join(f"{count} {name}" for name, count in sorted(field.counts.items()))
    words = (
        f"Whole nucleated cells: {read or 'none'}. Red cells: {field.red_cells:,}; "
        f"platelets: {field.platelets:,}."
    )
    return (Figure(field.picture, words, alt=f"field {field.name} with boxes"),)


def _unread_section(unread: Sequence[tuple[str, str]]) -> Section:
    return Section("Not readable", (Table(["file", "why"], [list(row) for row in unread]),))


def _word(picture: np.ndarray, word: str, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, word, place, font, 0.55, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.putText(picture, word, place, font, 0.55, colour, 1, cv2.LINE_AA)
