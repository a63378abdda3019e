"""``naturalize steps``: how a composite is made, drawn from one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import Objects, Overwrite, Seed, background
from naturalize.errors import InputError

RECIPES = {None: "recomposed", "light": "objects", "dark": "objects-dark"}


def steps(
    image: Annotated[Path, typer.Argument(help="One image, with a cell or object at its centre.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="One that composes cell by cell.", show_default="one that suits"),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Label image of it, instead of the segmenter smear.")
    ] = None,
    objects: Objects = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the path as JSON.")] = False,
) -> None:
    """Draw every step from one image to a composite of its own parts, as one HTML page.

    The plate, the masks, a cutout and its weight, the scene, the noise, layer by layer, and what
    was left out and why. Try it on a few images before a whole folder is cut.

    Example: naturalize steps SNE_0001.jpg -o steps.html

    Example: naturalize steps seed.png --masks seed_masks.png --objects light -o steps.html
    """
    from naturalize.compose.recipe import load_recipe
    from naturalize.cutouts.mask_folder import MaskFolder
    from naturalize.report.steps import take_steps
    from naturalize.report.steps_page import write_steps
    from naturalize.segment import Segmenter, Smear

    if out.resolve() in [one.resolve() for one in (image, masks) if one is not None]:
        raise InputError("--out", "another file than the image or its masks", out)
    on = background(objects)
    plan = load_recipe(recipe or RECIPES[on])
    if plan.surroundings != "composed":
        what = "one that composes cell by cell, as recomposed does"
        raise InputError("--recipe", what, f"{plan.name}, which needs other images")
    if on is not None and masks is None:
        raise InputError("--objects", "--masks beside it", "no masks")
    by: Segmenter | MaskFolder = Smear()
    if masks is not None:
        by = MaskFolder.of_one(masks, image.name, objects=on)
    taken = take_steps(image, by, recipe=plan, seed=seed)
    page = write_steps(taken, out, title=image.name, overwrite=overwrite)
    typer.echo(json.dumps({"steps": str(page)}) if as_json else str(page))
