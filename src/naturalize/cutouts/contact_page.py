"""A page on which a person sees what a bank holds, what was turned down, and whether rightly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cell_picture import (
    as_pasted,
    beside,
    in_place,
    plate_picture,
    square_around,
)
from naturalize.cutouts.outline import outline_points, outline_text
from naturalize.cutouts.triage import TurnedDown
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.page.block import Block, Callout, KeyFigure, KeyFigures, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table
from naturalize.seeds import child
from naturalize.segment import Kind
from naturalize.split.paper_split import AnySplit

CELLS = 90
"""Pictures of subjects on the page, shared among the classes."""
BESIDE = 12
PLATES = 12
REFUSED, MOST_REASONS = 6, 30
_PAIR_PX, _SINGLE_PX = 176, 114
T = TypeVar("T")

_NAMES: dict[str, str] = {
    "WBC": "Nucleated cell",
    "PLT": "Platelet",
    "RBC": "Red cell",
    "OBJ": "Object",
    "subject": "Image without a subject",
    "plate": "Image without a plate",
}
_MANY: dict[Kind, str] = {
    "RBC": "red cells",
    "PLT": "other platelets",
    "OBJ": "other objects",
}
_HOW = (
    "Left: as photographed, with the outline it was cut along. "
    "Right: as it will be pasted, on the colour of its own slide."
)


def contact_page(bank: CutoutBank, split: AnySplit) -> str:
    """Return a self-contained HTML page of a sample of ``bank``; the same bank, the same page.

    ``split`` tells where the donors lie, which are read again.
    """
    refused = bank.turned_down()
    pictures = _Pictures(bank, split)
    sections = (
        Section("What is in the bank", _counts(bank, refused)),
        Section("The cells of each class", _subjects(bank, pictures), lead=_HOW),
        Section("What lies beside them", _bystanders(bank, pictures), lead=_HOW),
        Section("Plates", (_plates(bank),), lead="The bare slide of an image, with its noise."),
        Section(
            "What was turned down",
            _refused(refused, pictures),
            lead="A few for each reason, so that you can see whether it was right.",
        ),
    )
    footer = f"Cut from the train images of split {bank.split_id}; pictures are drawn at random."
    subtitle = "Cells and plates that composites are made of"
    return render_page("The bank", sections, subtitle=subtitle, footer=footer)


class _Pictures:
    """Tiles of what a bank took and what it turned down, at sizes that can be compared."""

    def __init__(self, bank: CutoutBank, split: AnySplit) -> None:
        self._bank = bank
        self._root = split.root
        self._samples: dict[str, Sample] = {sample.id: sample for sample in split.train}
        area = bank.statistics.median_red_cell_area_px
        self._least_px = 1.7 * 2 * (area / np.pi) ** 0.5 if area else 0.0

    def taken(self, row: CutoutRow) -> Tile:
        cutout = self._bank.cutout(row.id)
        window = square_around(row.box, self._least_px)
        outline = outline_points(outline_text(cutout.mask, row.box.top, row.box.left))
        left = in_place(self._read(row.sample_id), window, outline, row.kind)
        return Tile(beside(left, as_pasted(cutout, window)), _short(row.id))

    def refused(self, item: TurnedDown) -> Tile:
        rgb = self._read(item.sample_id)
        outline = outline_points(item.outline)
        picture = rgb
        if len(outline):
            window = square_around(item.box, self._least_px)
            picture = in_place(rgb, window, outline, item.kind)
        words = f"{_short(item.id)} {item.refusal.detail}"
        return Tile(picture, words.strip(), tone="warning")

    def _read(self, sample_id: str) -> Rgb:
        return read_sample(self._root, self._samples[sample_id])


def _counts(bank: CutoutBank, refused: Sequence[TurnedDown]) -> tuple[Block, ...]:
    images = Counter(row.label for row in bank.donors)
    figures = KeyFigures(
        (
            KeyFigure("train images", f"{len(bank.donors):,}"),
            KeyFigure("cells of a class", f"{sum(1 for row in bank.rows if row.label):,}"),
            *(
                KeyFigure(_MANY[kind], f"{len(bank.bystanders[kind][0]):,}")
                for kind in bank.bystander_kinds
            ),
            KeyFigure("plates", f"{len(bank.plates):,}"),
        )
    )
    rows: list[list[Cell]] = []
    for label in bank.classes:
        taken = len(bank.subjects(label))
        share = f"{taken / images[label]:.1%}" if images[label] else "-"
        rows.append([label, images[label], taken, share])
    columns = ["class", "train images", "cells taken", "share"]
    by_class = Table(columns, rows, "An image gives one cell of its class.", numeric=(1, 2, 3))
    counts = Counter((item.kind, item.refusal.reason) for item in refused)
    reasons: list[list[Cell]] = [
        [_NAMES[kind], reason, counts[kind, reason]] for kind, reason in _ordered(counts)
    ]
    not_taken = Table(["object", "reason", "turned down"], reasons, numeric=(2,))
    return figures, by_class, not_taken


def _subjects(bank: CutoutBank, pictures: _Pictures) -> tuple[Block, ...]:
    each = max(1, CELLS // max(1, len(bank.classes)))
    blocks: list[Block] = []
    for label in bank.classes:
        rows = bank.subjects(label)
        if rows:
            blocks += _sheet(pictures, label, rows, each)
        else:
            blocks.append(Callout(f"No cell of class {label} was taken.", tone="warning"))
    return tuple(blocks)


def _bystanders(bank: CutoutBank, pictures: _Pictures) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for kind in bank.bystander_kinds:
        name, (rows, _) = _MANY[kind].capitalize(), bank.bystanders[kind]
        blocks += _sheet(pictures, name, rows, BESIDE) if rows else [Prose(f"{name}: none.")]
    return tuple(blocks)


def _sheet(
    pictures: _Pictures, name: str, rows: Sequence[CutoutRow], count: int
) -> tuple[Block, ...]:
    tiles = [pictures.taken(row) for row in _drawn(name, rows, count)]
    heading = Prose(f"{name}: {len(tiles)} of {len(rows):,}")
    return heading, ContactSheet(tiles, tile_px=_PAIR_PX)


def _plates(bank: CutoutBank) -> ContactSheet:
    """Show plates from dark to light."""
    rows = sorted(
        _drawn("plates", bank.plates, PLATES),
        key=lambda row: float(row.surface.coefficients[:, 0].sum()),
    )
    tiles = [Tile(plate_picture(bank.plate(row.sample_id)), _short(row.sample_id)) for row in rows]
    caption = f"{len(tiles)} of {len(bank.plates):,}, from dark to light"
    return ContactSheet(tiles, caption, tile_px=_SINGLE_PX)


def _refused(refused: Sequence[TurnedDown], pictures: _Pictures) -> tuple[Block, ...]:
    groups: defaultdict[tuple[str, str], list[TurnedDown]] = defaultdict(list)
    for item in refused:
        groups[item.kind, item.refusal.reason].append(item)
    blocks: list[Block] = []
    counts = Counter({key: len(items) for key, items in groups.items()})
    for kind, reason in _ordered(dict(counts.most_common(MOST_REASONS))):
        items = groups[kind, reason]
        tiles = [pictures.refused(i) for i in _drawn(f"{kind} {reason}", items, REFUSED)]
        heading = f"{_NAMES[kind]}, {reason}: {len(tiles)} of {len(items):,}"
        blocks += [Prose(heading), ContactSheet(tiles, tile_px=_SINGLE_PX)]
    return tuple(blocks) or (Prose("Nothing was turned down."),)


def _ordered(counts: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return kinds and reasons: nucleated cells first, the commonest reason of a kind first."""
    places = {kind: place for place, kind in enumerate(_NAMES)}
    return sorted(counts, key=lambda key: (places[key[0]], -counts[key], key[1]))


def _drawn(name: str, items: Sequence[T], count: int) -> list[T]:
    """Draw up to ``count`` items, in their order."""
    rng = child(0, "contact page", name)
    picks = rng.choice(len(items), min(count, len(items)), replace=False)
    return [items[int(i)] for i in sorted(picks)]


def _short(name: str) -> str:
    """Return the name of a file or cutout without its folders."""
    return name.rsplit("/", 1)[-1]
