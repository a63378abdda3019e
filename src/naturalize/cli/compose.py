"""``naturalize compose``: new images from a bank, or proof that old ones can be made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naturalize.cli.options import (
    AsJson,
    Overwrite,
    Resume,
    Seed,
    Workers,
    counts_table,
    if_exists,
    tell,
)
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.compose.recipe import Recipe


DEFAULT_COUNT = 500


def compose(
    bank: Annotated[
        Path, typer.Argument(help="Folder written by cut; with --replay, one written by compose.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder to write; must not exist yet.")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="A shipped recipe (below) or a YAML file.")
    ] = "naturalize",
    count: Annotated[
        int | None,
        typer.Option(help="Number of composites.", show_default="the recipe's own, or 500"),
    ] = None,
    seed: Seed = 0,
    workers: Workers = 2,
    replay: Annotated[
        bool, typer.Option("--replay", help="Render composites again and compare pixels.")
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write 16 composites as one HTML page, no set.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Compose new images by a recipe; each can be rendered again from its record.

    Recipes: naturalize (a cell among the cells of another image of its class, the same synthetic
    share for every class), varied (the same, and each cell in other stain, size, shape and focus,
    within what its class shows), balance (every class brought up to the largest), transplant (among
    the cells of an image of any class), recomposed (every cell from another image), decoy (a cell
    put back into its own image), paper (Algorithm 1 of Abou Ali et al. 2023) and its
    sets paper-419-pmy, paper-1k, paper-2k, paper-balanced; objects and objects-dark for banks that
    show no blood.

    Example: naturalize compose out/bank --recipe naturalize --count 500 -o out/composites

    Look first: naturalize compose out/bank --recipe mine.yaml --preview -o preview.html

    Check: naturalize compose out/composites --replay
    """
    from naturalize.artefact import open_artefact
    from naturalize.compose.make_composites import make_composites
    from naturalize.compose.recipe import load_recipe
    from naturalize.errors import InputError

    if preview and (replay or resume or count is not None):
        raise InputError("--preview", "no --replay, --resume or --count beside it", "one")
    if replay:
        if out is not None:
            raise InputError("--out", "none beside --replay, which writes nothing", out)
        _replay(bank, as_json)
        return
    if out is None:
        raise InputError("--out", "a file to write" if preview else "a folder to write", "nothing")
    plan = load_recipe(recipe)
    if preview:
        _preview(bank, out, plan, seed, overwrite, as_json)
        return
    made = make_composites(
        open_artefact(bank, "bank"),
        out,
        recipe=plan,
        count=count if count is not None or plan.tells_counts else DEFAULT_COUNT,
        seed=seed,
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    tell(made, as_json, counts_table("composites", made.summary["counts"]))
    for label in made.summary["without_cutouts"]:
        typer.echo(f"warning: no cell of class {label} could be cut out, none composed", err=True)
    warn_if_told(plan)


def warn_if_told(recipe: Recipe) -> None:
    """Say so where an audit of this very recipe found its composites too easy to tell."""
    from naturalize.audit.findings import shipped_findings

    known = shipped_findings(recipe)
    for finding in known.over_limit() if known is not None else ():
        limit = known.limits[finding.probe] if known is not None else 0.0
        typer.echo(
            f"warning: can be told from real images: {finding.said()}; limit {limit}", err=True
        )


def _preview(
    bank: Path, file: Path, recipe: Recipe, seed: int, overwrite: bool, as_json: bool
) -> None:
    from naturalize.artefact import open_artefact
    from naturalize.compose.preview import write_preview

    source = open_artefact(bank, "bank")
    page = write_preview(source, file, recipe=recipe, seed=seed, overwrite=overwrite, track=bar)
    typer.echo(json.dumps({"preview": str(page)}) if as_json else str(page))


def _replay(folder: Path, as_json: bool) -> None:
    from naturalize.artefact import open_artefact
    from naturalize.compose.make_composites import replay
    from naturalize.errors import NaturalizeError

    composites = open_artefact(folder, "composites")
    total = sum(composites.summary["counts"].values())
    results = list(bar(replay(composites), total, "replay"))
    wrong = [file for file, same in results if not same]
    if as_json:
        typer.echo(json.dumps({"rendered": len(results), "different": wrong}))
    if wrong or len(results) != total:
        raise NaturalizeError(f"{len(wrong)} of {total} differ from their records: {wrong[:1]}")
    if not as_json:
        typer.echo(f"all {total} composites render to the recorded pixels")
