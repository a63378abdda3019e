"""The sheet a person works through: what to look at first, then all the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from naturalize.classify.reader_info import ReaderInfo
from naturalize.classify.reading import CellReading
from naturalize.classify.review import REASONS, UNFAMILIAR
from naturalize.page.block import Block, Callout, KeyFigure, KeyFigures, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table

MOST_TILES = 600
"""Of a sheet; what is left out stands in the CSV."""
Rows = Sequence[tuple[str, CellReading]]
FOOTER = "Made by naturalize predict. Research use only; not a medical device."
_TILE_PX = 112
_FOREIGN = 0.2


def cell_page(rows: Rows, info: ReaderInfo, *, title: str) -> str:
    """Return the HTML sheet of (name, reading) of single cells."""
    read = [row for row in rows if row[1].label]
    doubtful = in_order([row for row in rows if row[1].review and row[1].view is not None])
    plain = sorted((row for row in read if not row[1].review), key=lambda row: row[1].label)
    closed = [(name, cell) for name, cell in rows if cell.view is None]
    glance = (_figures(rows, read, doubtful), *foreign([cell for _, cell in read]))
    sections = [
        Section("At a glance", (*glance, *counts_blocks(read))),
        *sheet_sections(doubtful, plain),
        *([_unreadable(closed)] if closed else []),
        Section("How to read this sheet", (Prose(explained(info)),)),
    ]
    return render_page(
        title, sections, subtitle="Single blood cells, read. Research use only.", footer=FOOTER
    )


def foreign(cells: Sequence[CellReading]) -> list[Block]:
    """Return a warning where so many cells are unfamiliar that the slide must be."""
    strange = sum(UNFAMILIAR in cell.reasons for cell in cells)
    if strange <= _FOREIGN * len(cells):
        return []
    words = (
        f"{strange:,} of {len(cells):,} cells are unfamiliar. These pictures are probably of "
        "another scanner, stain or disease than the reader learned from: do not trust its classes, "
        "probabilities and percentages here."
    )
    return [Callout(words, "warning")]


def in_order(rows: Rows) -> list[tuple[str, CellReading]]:
    """Return rows with those first that a person should look at first.

    First the gravest reason, then the least probability.
    """

    def gravity(row: tuple[str, CellReading]) -> tuple[int, float]:
        return min(REASONS.index(reason) for reason in row[1].reasons), row[1].probability

    return sorted(rows, key=gravity)


def sheet_sections(doubtful: Rows, plain: Rows) -> list[Section]:
    """Return one section of cells to be looked at, in their order, and one of the others."""
    sections = []
    if doubtful:
        lead = "The gravest reason first; within one reason the least certain cell."
        sections.append(Section("To be looked at", _sheet(doubtful), lead))
    if plain:
        lead = "By class. None of these gave a reason to look."
        sections.append(Section("Read without doubt", _sheet(plain), lead))
    return sections


def counts_blocks(read: Rows) -> list[Block]:
    """Return a table of how many cells were read as each class, and how many need a person."""
    classes = Counter(cell.label for _, cell in read)
    looked = Counter(cell.label for _, cell in read if cell.review)
    rows: list[list[Cell]] = [
        [name, count, looked[name]] for name, count in sorted(classes.items())
    ]
    if not rows:
        return []
    return [Table(["read as", "cells", "to be looked at"], rows, numeric=(1, 2))]


def explained(info: ReaderInfo) -> str:
    """Return what the words of a sheet mean."""
    return (
        "Below each cell: its most probable class with its probability (calibrated on validation "
        "images), then the conformal set where it holds more than one class, then the reasons why "
        "a person should look, and the file.\n\n"
        f"A conformal set holds the true class in {info.coverage:.0%} of cells like those of the "
        "data the reader was calibrated on. On another scanner, stain or laboratory it promises "
        "nothing.\n\n"
        "Unfamiliar cell: train images are less like it than like nearly every validation "
        "image; its class may be none of the reader's. Low margin: two classes are nearly "
        "as likely. Several classes possible: the conformal set holds more than one."
    )


def tile(name: str, cell: CellReading) -> Tile:
    """Return the picture of one cell with what was said of it."""
    assert cell.view is not None
    words = []
    if cell.label:
        words.append(f"{cell.label} {cell.probability:.0%}")
    if len(cell.classes) > 1:
        words.append("{" + ", ".join(cell.classes) + "}")
    words += [*cell.reasons, name]
    return Tile(cell.view, " · ".join(words), "warning" if cell.review else "plain")


def _sheet(rows: Rows) -> tuple[Block, ...]:
    kept = rows[:MOST_TILES]
    blocks: list[Block] = []
    if len(kept) < len(rows):
        blocks.append(Callout(f"The first {len(kept):,} of {len(rows):,}; all are in the CSV."))
    tiles = [tile(name, cell) for name, cell in kept]
    return (*blocks, ContactSheet(tiles, tile_px=_TILE_PX))


def _figures(rows: Rows, read: Rows, doubtful: Rows) -> KeyFigures:
    closed = sum(cell.view is None for _, cell in rows)
    share = len(doubtful) / len(rows) if rows else 0
    figures = [
        KeyFigure("pictures", f"{len(rows):,}"),
        KeyFigure("cells read", f"{len(read):,}"),
        KeyFigure("to be looked at", f"{len(doubtful):,}", f"{share:.0%} of the pictures"),
        KeyFigure("not readable", f"{closed:,}"),
    ]
    return KeyFigures(tuple(figures))


def _unreadable(rows: Rows) -> Section:
    table = Table(["file", "why"], [[name, cell.reasons[0]] for name, cell in rows])
    return Section("Not readable", (table,), "These files hold no picture that could be read.")
