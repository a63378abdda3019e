"""Real images and composites in one shuffled sheet, for a person to tell apart."""

from __future__ import annotations

from pathlib import Path

from naturalize.artefact import Artefact, write_whole
from naturalize.audit.pictures import composed_pictures, real_pictures, two_draws
from naturalize.audit.pools import two_pools
from naturalize.compose.open_bank import proven_bank
from naturalize.compose.recipe import Recipe
from naturalize.errors import InputError
from naturalize.page.block import Details, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.page import Section, render_page
from naturalize.seeds import child
from naturalize.split.split import RealSplit

SHOWN = 20
_TILE_PX = 300


def write_sheet(
    bank: Artefact, file: Path, *, recipe: Recipe, seed: int = 0, overwrite: bool = False
) -> Path:
    """Write one HTML page with 20 real images and 20 composites of the same classes.

    They are numbered and shuffled; the key is folded away at the end. Real images come from one
    pool, composites from the other, so no picture shows the same cell twice. Raises
    :class:`InputError` where the page is there already.
    """
    if file.exists() and not overwrite:
        raise InputError(f"output {file}", "a file that does not exist yet (or --overwrite)", "one")
    split = RealSplit.load(bank.input("split"))
    first, second = two_pools(proven_bank(bank), split.train, rng=child(seed, "sheet", "pools"))
    samples, _ = two_draws(first, SHOWN, rng=child(seed, "sheet", "draw"))
    samples = samples[:SHOWN]
    real = real_pictures(split.root, samples, recipe.encode)
    made = composed_pictures(second, samples, recipe, seed=seed)
    pictures = [*((rgb, "real") for rgb in real), *((rgb, "composite") for rgb in made)]
    order = child(seed, "sheet", "order").permutation(len(pictures))
    tiles = [Tile(pictures[i][0], str(n)) for n, i in enumerate(order, start=1)]
    key = ", ".join(f"{n} {pictures[i][1]}" for n, i in enumerate(order, start=1))
    lead = "Note for each number whether it is real; unfold the key when done."
    sections = (
        Section("Pictures", (ContactSheet(tiles, tile_px=_TILE_PX),), lead=lead),
        Section("Key", (Details("Which were real", (Prose(key),)),)),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, render_page("Real or composed?", sections, footer=f"Bank {bank.id}."))
    return file
