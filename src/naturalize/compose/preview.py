"""A page of composites to look at before a set of them is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from naturalize.artefact import Artefact, refuse_existing, write_whole
from naturalize.compose.deal import deal_labels, wanted_counts
from naturalize.compose.numbered import compose_numbered
from naturalize.compose.open_bank import proven_bank
from naturalize.compose.recipe import Recipe
from naturalize.compose.render import Composite
from naturalize.cutouts.bank import CutoutBank
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table
from naturalize.progress import Track, quiet

SHOWN = 16
_TILE_PX = 260


def write_preview(
    bank: Artefact,
    file: Path,
    *,
    recipe: Recipe,
    seed: int = 0,
    overwrite: bool = False,
    track: Track = quiet,
) -> Path:
    """Write one HTML page with 16 composites of ``recipe``, its classes in turn.

    The bank is proven to hold train images only, as for a whole set. Raises :class:`InputError`
    where the page is there already.
    """
    refuse_existing(file, overwrite=overwrite)
    page = preview_page(proven_bank(bank), recipe, seed=seed, track=track)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    return file


def preview_page(bank: CutoutBank, recipe: Recipe, *, seed: int = 0, track: Track = quiet) -> str:
    """Return the page as HTML, whole in itself; the same bank, recipe and seed, the same page."""
    each = Counter(deal_labels(recipe, bank, None if recipe.tells_counts else 1000))
    labels = list(islice(cycle(sorted(each, key=bank.classes.index)), SHOWN))
    drawn = (compose_numbered(recipe, bank, label, i, seed=seed) for i, label in enumerate(labels))
    made = list(track(drawn, SHOWN, "compose"))
    sections = (
        Section("Composites", (_sheet(recipe, made),), lead="Each shows the class below it."),
        Section("How many", (_counts(bank, recipe, each),)),
        Section("The recipe", (_recipe(recipe),)),
    )
    footer = f"From bank {bank.id}, seed {seed}. Nothing but this page was written."
    return render_page(f"Recipe {recipe.name}", sections, footer=footer)


def _sheet(recipe: Recipe, made: Sequence[Composite]) -> ContactSheet:
    tiles = []
    for composite in made:
        scene = composite.scene
        n_objects = len(scene.placements)
        many = "object" if n_objects == 1 else "objects"
        words = f"{scene.label} · {recipe.name} · {n_objects} {many}"
        missed = sum(scene.unplaced.values())
        caption = f"{words}, {missed} without room" if missed else words
        tiles.append(Tile(composite.jpeg, caption))
    return ContactSheet(tiles, tile_px=_TILE_PX)


def _counts(bank: CutoutBank, recipe: Recipe, each: Counter[str]) -> Table:
    """Tell per class what there is and what the recipe would add."""
    images = Counter(row.label for row in bank.donors)
    total = sum(each.values())
    rows: list[list[Cell]] = []
    for label in wanted_counts(recipe, bank):
        cells = len(bank.subjects(label))
        adds: Cell = each[label] if recipe.tells_counts else f"{each[label] / total:.1%} of --count"
        rows.append([label, images[label], cells, adds if cells else "none: no cell was cut out"])
    columns = ["class", "train images", "cells", "composites"]
    return Table(columns, rows, numeric=(1, 2, 3))


def _recipe(recipe: Recipe) -> Table:
    rows = [[key, _words(value)] for key, value in recipe.model_dump(mode="json").items()]
    return Table(["key", "value"], rows)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items())
    return ", ".join(map(_words, value)) if isinstance(value, list) else str(value)
