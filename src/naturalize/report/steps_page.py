"""How a composite is made: one page with every step of one image."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from naturalize.artefact import refuse_existing, write_whole
from naturalize.page.block import Block, Callout, Prose
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
from naturalize.report.steps import Made, Parts, Steps

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
    refuse_existing(file, overwrite=overwrite)
    page = steps_page(steps, title=title)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    return file


def steps_page(steps: Steps, *, title: str) -> str:
    """Return the page as HTML, whole in itself; the same steps, the same page."""
    parts, made = steps.parts, steps.made
    composed = () if made is None else _composed(parts, made)
    sections = (_light(parts), _found(parts, made), *composed, _left_out(parts, made))
    subtitle = "How a composite is made: one image cut up, and another made of its parts"
    recipe = "" if made is None else f"Recipe {made.recipe.name}. "
    footer = (
        f"{recipe}Only this image's own parts were used; a bank holds those of all training "
        "images. Nothing but this page was written."
    )
    return render_page(title, sections, subtitle=subtitle, footer=footer)


def _light(parts: Parts) -> Section:
    name, words = _LIGHT[parts.background]
    tiles = [
        Tile(parts.rgb, "the image"),
        Tile(plate_picture(parts), "its plate"),
        Tile(unevenness_picture(parts), f"how uneven the plate is, {GAIN} times as strong"),
        Tile(light_picture(parts), name.lower()),
    ]
    lead = (
        "The plate is the slide as it would look with nothing on it: a smooth surface fitted to "
        "the pixels that show it bare."
    )
    return Section("The image and its light", (*_sheet(tiles, _PAIR_PX), Prose(words)), lead)


def _found(parts: Parts, made: Made | None) -> Section:
    picture = masks_picture(parts)
    lead = "Outlined: taken. Paled: seen, but turned down; reasons by number at the end."
    counts = Counter(mask.kind for mask in parts.masks)
    words = ", ".join(f"{kind} {n}" for kind, n in counts.items()) or "nothing taken"
    body = _sheet([Tile(picture, words)], _PAIR_PX * 2)
    if made is None:
        why = "No composite can be made of this image alone: it gives no subject, or no plate."
        body = (*body, Callout(why, tone="warning"))
    return Section("What lies on it", body, lead)


def _composed(parts: Parts, made: Made) -> tuple[Section, ...]:
    tiles = [Tile(parts.rgb, "the image"), Tile(made.layers[-1], "the composite")]
    result = Section("The composite", _sheet(tiles, _PAIR_PX))
    return _cut_out(parts, made), _drawn(made), _layered(made), result


def _cut_out(parts: Parts, made: Made) -> Section:
    names = ("where it lay", "its weight", "on its own plate")
    pictures = zip(cutout_pictures(parts, made), names, strict=True)
    lead = (
        "The object at the centre. Its weight is full (white) on the object, fades across a rim, "
        "and is nothing where the rim would take a neighbour along."
    )
    tiles = [Tile(picture, name) for picture, name in pictures]
    return Section("One cutout", _sheet(tiles, _SMALL_PX + 60), lead)


def _drawn(made: Made) -> Section:
    missed = sum(made.scene.unplaced.values())
    words = f"{len(made.scene.placements)} objects, {missed} without room"
    tiles = [
        Tile(scene_picture(made), words),
        Tile(noise_picture(made), f"the slide's noise, {GAIN} times as strong"),
    ]
    lead = (
        "Everything that chance decides is drawn now and written down: which objects, where, how "
        "their density varies, how the noise lies. The record renders to the same pixels again."
    )
    return Section("The scene", _sheet(tiles, _PAIR_PX), lead)


def _layered(made: Made) -> Section:
    last = len(made.layers) - 1
    places = sorted({round(i * last / (SHOWN_LAYERS - 1)) for i in range(SHOWN_LAYERS)})
    tiles = [Tile(made.layers[n], _count(n)) for n in places]
    lead = {
        "transmittance": "Each object filters the light of the slide; where two lie over one "
        "another the darker one is seen.",
        "emission": "Each object adds the light it gives off to that of the background.",
    }.get(made.recipe.blend, f"Objects are pasted by the blend “{made.recipe.blend}”.")
    return Section("Layer by layer", _sheet(tiles, _SMALL_PX), lead)


def _left_out(parts: Parts, made: Made | None) -> Section:
    """Tell what was turned down and why, and what found no room."""
    rows: list[list[Cell]] = [
        [str(number), one.kind, one.refusal.reason, one.refusal.detail]
        for number, one in enumerate(parts.turned_down, start=1)
    ]
    unplaced = {} if made is None else made.scene.unplaced
    rows += [["", kind, "no room in the composite", str(n)] for kind, n in unplaced.items()]
    body: tuple[Block, ...] = (Table(["number", "object", "why not", "figures"], rows),)
    return Section("What was left out, and why", body if rows else (Prose("Nothing."),))


def _sheet(tiles: list[Tile], tile_px: int) -> tuple[Block, ...]:
    return (ContactSheet(tiles, tile_px=tile_px),)


def _count(number: int) -> str:
    return {0: "the bare slide", 1: "the subject"}.get(number, f"{number} objects")
