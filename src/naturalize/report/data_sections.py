"""The part of the report that says what the data was and what was made of it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from naturalize.artefact import Artefact
from naturalize.compose.composite_set import CompositeSet
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.manifest import read_sample, read_table
from naturalize.page.block import Block, Callout, Details, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.figure import Figure
from naturalize.page.grouped_bars import grouped_bars
from naturalize.page.page import Section
from naturalize.page.table import Cell, Table
from naturalize.report.lineage import Lineage
from naturalize.report.overlay import overlay
from naturalize.segment import Kind
from naturalize.split.split import SIDES, RealSplit

PROTOCOL = (
    "Before the software learned anything, one image in ten was locked away, and every score on "
    "this page counts its answers on those untouched photographs."
)
DETAILS = (
    "Another tenth was set apart for checking. Cells were cut out of the remaining training images "
    "only, so no test cell, nor any piece of one, can be part of a composite; each step proves "
    "this again before it begins."
)
NO_PATIENTS = (
    "The images carry no patient or slide numbers, so cells of one patient may stand on both sides "
    "of the split. Scores on new patients can be lower."
)

_BESIDE: dict[Kind, str] = {
    "RBC": "whole red cells",
    "PLT": "platelets",
    "OBJ": "other objects",
}
MEANINGS = {
    "unlabelled": "no class could be read from the file name; not used",
    "not_an_image": "named like an image but holding none; dropped",
    "unreadable": "damaged or too small; dropped",
    "duplicate": "the same bytes as another image; kept on the same side of the split",
    "near_duplicate": "the same picture stored again; kept on the same side of the split",
    "same_field": "two images of one slide region; kept on the same side of the split",
    "label_conflict": "one image filed under two classes; all its copies dropped",
    "multicell": "a second nucleated cell; kept, or dropped under the preset paper",
    "fragment": "part of a nucleated cell at the border; kept, or dropped under the preset paper",
    "no_centre_cell": "no cell where the class shows one; kept",
    "focus": "blurred beside others of its source; kept",
    "exposure": "too dark, too bright or clipped beside others of its source; kept",
    "source": "from another acquisition source, which gives the class away; kept",
    "label_suspect": "a model that never saw it is sure of another class; kept",
}
"""What each kind of finding means, and what was done unless a person decided otherwise."""


def data_section(lineage: Lineage, split: RealSplit) -> Section:
    """Say what was imported, set aside, found and split."""
    dataset, curated = lineage.dataset.summary, lineage.curated.summary
    sides = {side: Counter(sample.label for sample in split.side(side)) for side in SIDES}
    rows: list[list[Cell]] = [
        [
            label,
            dataset["counts"].get(label, 0),
            curated["counts"].get(label, 0),
            *(sides[side][label] for side in SIDES),
        ]
        for label in split.classes
    ]
    total: list[Cell] = ["all", *(sum(int(row[i]) for row in rows) for i in range(1, 6))]
    caption = (
        f"Images of each class. Origin: {dataset.get('origin', dataset.get('layout', 'folder'))}; "
        f"licence: {dataset.get('licence', 'unknown')}."
    )
    columns = ["class", "imported", "after curation", "train", "validation", "test"]
    counts = Table(columns, [*rows, total], caption, numeric=range(1, 6))
    body: list[Block] = [Prose(DETAILS), counts, *_set_aside(lineage), Callout(NO_PATIENTS)]
    left_out = lineage.split.summary.get("left_out", 0)
    if left_out:
        words = f"{left_out:,} images were left out of the split on request (a cap per class)."
        body.insert(2, Prose(words))
    return Section("What the data was", tuple(body), lead=PROTOCOL)


def _set_aside(lineage: Lineage) -> list[Block]:
    """List what was set aside and why: counts first, names folded away."""
    aside = read_table(lineage.dataset.path / "set_aside.csv")
    findings = read_table(lineage.curated.path / "findings.csv")
    counts = Counter(row["kind"] for row in findings)
    counts.update(row["kind"] for row in aside if row["kind"] == "unlabelled")
    if not counts:
        return [Prose("Nothing had to be set aside.")]
    rows: list[list[Cell]] = [
        [kind.replace("_", " "), n, MEANINGS.get(kind, "see findings.csv")]
        for kind, n in sorted(counts.items())
    ]
    listed = [[f["kind"].replace("_", " "), f["path"], f["other_path"]] for f in findings]
    table = Table(["finding", "files", "what was done"], rows, "Findings", numeric=[1])
    if not listed:
        return [table]
    shown = Table(["finding", "file", "compared with"], listed[:200])
    more = "" if len(listed) <= 200 else f" (the first 200 of {len(listed)})"
    return [table, Details(f"Which files{more}", (shown,))]


def segmentation_section(lineage: Lineage, split: RealSplit) -> Section | None:
    """Show one train image of each class with its outlines, and what was cut or turned down."""
    if lineage.bank is None:
        return None
    bank = lineage.bank.summary
    cutouts = CutoutBank.load(lineage.bank)
    blood = "OBJ" not in cutouts.bystander_kinds
    tiles = []
    for label in split.classes:
        sample = next(sample for sample in split.train if sample.label == label)
        rgb = read_sample(split.root, sample)
        tiles.append(Tile(overlay(rgb, cutouts.masks(sample.id)), f"{label}: {sample.id}"))
    sheet = ContactSheet(
        tiles,
        "One training image of each class with the outlines of what was cut out of it"
        + (": nucleated cell (blue), red cell (orange), platelet (green)." if blood else "."),
        tile_px=210,
    )
    beside = ", ".join(
        f"{bank['bystanders'].get(kind, 0):,} {_BESIDE[kind]}" for kind in cutouts.bystander_kinds
    )
    cut = [[label, bank["subjects"].get(label, 0)] for label in split.classes]
    taken = Table(
        ["class", "cells cut out"],
        cut,
        f"From {bank['images']:,} training images: what each shows, {beside} and "
        f"{bank['plates']:,} bare slides.",
        numeric=[1],
    )
    reasons = sorted(bank["turned_down"].items(), key=lambda item: -item[1])
    refused = Table(["object: reason", "objects"], list(map(list, reasons)), numeric=[1])
    return Section(
        "Where cells were cut",
        (sheet, taken, Details("What was not cut out, and why", (refused,))),
    )


def composites_section(lineage: Lineage, split: RealSplit, *, per_class: int = 3) -> Section | None:
    """Show class counts before and after, and untouched images beside composites."""
    if lineage.composites is None:
        return None
    composites = CompositeSet.load(lineage.composites)
    real = Counter(sample.label for sample in split.train)
    made = Counter(image.label for image in composites.images)
    recipe = lineage.composites.manifest["parameters"]["recipe"]
    bars = grouped_bars(
        split.classes,
        {
            "real training images": [real[label] for label in split.classes],
            "with composites": [real[label] + made[label] for label in split.classes],
        },
        title="Training images of each class before and after composition",
        x_label="images",
    )
    note = (
        f"Recipe {recipe['name']}: {recipe['blend']} blend, "
        f"{lineage.composites.summary['objects_per_image']:.1f} objects an image on average."
    )
    missing = lineage.composites.summary["without_cutouts"]
    warnings: list[Block] = (
        [Callout(f"No composite could be made of {', '.join(missing)}.", tone="warning")]
        if missing
        else []
    )
    figure = Figure(bars, "Validation and test images are real and not counted here.")
    tiles = [
        tile
        for label in split.classes
        if made[label]
        for tile in _side_by_side(label, split, composites, per_class)
    ]
    sheet = ContactSheet(
        tiles,
        f"For each class {per_class} untouched training images, then {per_class} composites.",
        tile_px=108,
    )
    body: tuple[Block, ...] = (Prose(note), figure, *warnings, sheet)
    return Section("Untouched images and composites", body)


def _side_by_side(
    label: str, split: RealSplit, composites: CompositeSet, per_class: int
) -> list[Tile]:
    untouched = [sample for sample in split.train if sample.label == label][:per_class]
    made = [image for image in composites.images if image.label == label][:per_class]
    tiles = [Tile(read_sample(split.root, sample), f"{label} untouched") for sample in untouched]
    return tiles + [Tile(composites.read(image), f"{label} composite") for image in made]


def versions_section(lineage: Lineage) -> Section:
    """Say what made this page, so that it can be made again."""
    rows = [
        [a.kind, a.id, "" if a.manifest["seed"] is None else str(a.manifest["seed"]), _said(a)]
        for a in lineage.artefacts()
    ]
    made = lineage.runs[0]
    libraries = made.summary.get("libraries", {}) | made.manifest["versions"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(libraries.items()))
    return Section(
        "How to make this page again",
        (
            Prose(
                "Each step below has an id that covers what went in, what was asked for and what "
                "came out. The same images, parameters and seeds give the same ids. "
                f"Versions: {versions}; numpy {np.__version__}."
            ),
            Table(["step", "id", "seed", "parameters"], rows),
        ),
    )


def _said(artefact: Artefact, *, longest: int = 160) -> str:
    """Return an artefact's parameters in short."""
    parts = [
        f"{key}={value.get('name', 'set') if isinstance(value, dict) else value}"
        for key, value in artefact.manifest["parameters"].items()
        if not isinstance(value, list) and value is not None
    ]
    text = ", ".join(parts)
    return text if len(text) <= longest else text[: longest - 1] + "…"
