"""``naturalize split``: train, validation and test, before anything is cut out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, if_exists, tell


def split(
    curated: Annotated[Path, typer.Argument(help="Folder written by curate.")],
    out: Out,
    seed: Seed = 0,
    cap: Annotated[int | None, typer.Option(help="At most so many images of a class.")] = None,
    frozen: Annotated[
        Path | None,
        typer.Option("--from", help="Take the sides from this table (columns id, side)."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Split 80/10/10 by class; copies of one image stay on one side; prove that nothing leaks.

    Example: naturalize split out/curated -o out/split --seed 2023
    """
    from naturalize.artefact import open_artefact
    from naturalize.split.make_split import make_split

    made = make_split(
        open_artefact(curated, "curated"),
        out,
        seed=seed,
        cap=cap,
        frozen=frozen,
        if_exists=if_exists(resume, overwrite),
    )
    table = Table("class", *made.summary["counts"], title="split", title_justify="left")
    for label in made.summary["classes"]:
        table.add_row(label, *(f"{side[label]:,}" for side in made.summary["counts"].values()))
    tell(made, as_json, table)
