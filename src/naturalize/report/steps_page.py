"""How a composite is made: one page with every step of one image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from naturalize.artefact import write_whole
from naturalize.errors import InputError
from naturalize.page.block import Block, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table
from naturalize.report.step_pictures import (
    DEEPEST,
    GAIN,
    cutout_pictures,
    light_picture,
    masks_picture,
    noise_picture,
    plate_picture,
    scene_picture,
    unevenness_picture,
)
from naturalize.report.steps import Steps

SHOWN_LAYERS = 12
_PAIR_PX, _SMALL_PX = 350, 180
_LIGHT = {
    "light": (
        "How much light is missing",
        "Optical density: how many powers of ten less light arrives than through the bare slide. "
        f"Black is bare slide, light yellow {DEEPEST} or more.",
    ),
    "dark": (
        "How much light is added",
        "What is brighter than the bare background: black none, light yellow the most.",
    ),
}


def write_steps(steps: Steps, file: Path, *, title: str, overwrite: bool = False) -> Path:
    """Write the page of ``steps``; raises :class:`InputError` where there is one already."""
    if file.exists() and not overwrite:
        raise InputError(f"output {file}", "a file that does not exist yet (or --overwrite)", "one")
    page = steps_page(steps, title=title)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    return file


def steps_page(steps: Steps, *, title: str) -> str:
    """Return the page as HTML, whole in itself; the same steps, the same page."""
    sections = (
        _taken_apart(steps),
        _found(steps),
        _cut_out(steps),
        _drawn(steps),
        _layered(steps),
        _result(steps),
        _left_out(steps),
    )
    subtitle = "How a composite is made: one image cut up, and another made of its parts"
    footer = (
        f"Recipe {steps.recipe.name}. Only this image's own parts were used; a bank holds those of "
        "all training images. Nothing but this page was written."
    )
    return render_page(title, sections, subtitle=subtitle, footer=footer)


def _taken_apart(steps: Steps) -> Section:
    name, words = _LIGHT[steps.background]
    tiles = [
        Tile(steps.rgb, "the image"),
        Tile(plate_picture(steps), "its plate"),
        Tile(unevenness_picture(steps), f"how uneven the plate is, {GAIN} times as strong"),
        Tile(light_picture(steps), name.lower()),
    ]
    lead = (
        "The plate is the slide as it would look with nothing on it: a smooth surface fitted to "
        "the pixels that show it bare."
    )
    return Section("The image and its light", (*_sheet(tiles, _PAIR_PX), Prose(words)), lead)


def _found(steps: Steps) -> Section:
    picture = masks_picture(steps)
    lead = "Outlined: taken. Paled: seen, but turned down; the reasons stand at the end."
    counts = Counter(mask.kind for mask in steps.masks)
    words = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    return Section("What lies on it", _sheet([Tile(picture, words)], _PAIR_PX * 2), lead)


def _cut_out(steps: Steps) -> Section:
    names = ("where it lay", "its weight", "on its own plate")
    pictures = zip(cutout_pictures(steps), names, strict=True)
    lead = (
        "The object at the centre. Its weight is full (white) on the object, fades across a rim, "
        "and is nothing where the rim would take a neighbour along."
    )
    tiles = [Tile(picture, name) for picture, name in pictures]
    return Section("One cutout", _sheet(tiles, _SMALL_PX + 60), lead)


def _drawn(steps: Steps) -> Section:
    scene = steps.scene
    missed = sum(scene.unplaced.values())
    words = f"{len(scene.placements)} objects, {missed} without room"
    tiles = [
        Tile(scene_picture(steps), words),
        Tile(noise_picture(steps), f"the slide's noise, {GAIN} times as strong"),
    ]
    lead = (
        "Everything that chance decides is drawn now and written down: which objects, where, how "
        "their density varies, how the noise lies. The record renders to the same pixels again."
    )
    return Section("The scene", _sheet(tiles, _PAIR_PX), lead)


def _layered(steps: Steps) -> Section:
    last = len(steps.layers) - 1
    places = sorted({round(i * last / (SHOWN_LAYERS - 1)) for i in range(SHOWN_LAYERS)})
    tiles = [Tile(steps.layers[n], _count(n)) for n in places]
    lead = {
        "transmittance": "Each object filters the light of the slide; where two lie over one "
        "another the darker one is seen.",
        "emission": "Each object adds the light it gives off to that of the background.",
    }.get(steps.recipe.blend, f"Objects are pasted by the blend “{steps.recipe.blend}”.")
    return Section("Layer by layer", _sheet(tiles, _SMALL_PX), lead)


def _result(steps: Steps) -> Section:
    tiles = [Tile(steps.rgb, "the image"), Tile(steps.layers[-1], "the composite")]
    return Section("The composite", _sheet(tiles, _PAIR_PX))


def _left_out(steps: Steps) -> Section:
    """Tell what was turned down and why, and what found no room."""
    rows: list[list[Cell]] = [
        [str(number), one.kind, one.refusal.reason, one.refusal.detail]
        for number, one in enumerate(steps.turned_down, start=1)
    ]
    rows += [
        ["-", kind, "no room in the composite", f"{count} of them"]
        for kind, count in sorted(steps.scene.unplaced.items())
    ]
    body: tuple[Block, ...] = (Table(["", "object", "why not", "figures"], rows),)
    return Section("What was left out, and why", body if rows else (Prose("Nothing."),))


def _sheet(tiles: list[Tile], tile_px: int) -> tuple[Block, ...]:
    return (ContactSheet(tiles, tile_px=tile_px),)


def _count(number: int) -> str:
    return {0: "the bare slide", 1: "the subject"}.get(number, f"{number} objects")
