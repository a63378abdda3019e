"""``naturalize export``: what the project made, in the forms other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import (
    AsJson,
    Out,
    Overwrite,
    Resume,
    Workers,
    counts_table,
    if_exists,
    tell,
)
from naturalize.progress import bar


def export(
    bank: Annotated[Path, typer.Argument(help="Folder written by cut.")],
    out: Out,
    classes: Annotated[
        str | None,
        typer.Option(help="Classes, commas between; RBC and PLT too. By default all."),
    ] = None,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the cells of a bank as transparent PNG files, one folder a class, and a table of them.

    Example: naturalize export out/bank --classes RBC,BNE,MMY,MY,PMY,SNE -o out/crops
    """
    from naturalize.artefact import open_artefact
    from naturalize.cutouts.export import export_cutouts

    made = export_cutouts(
        open_artefact(bank, "bank"),
        out,
        classes=None if classes is None else [name.strip() for name in classes.split(",")],
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    tell(made, as_json, counts_table("exported", made.summary["counts"], what="cells"))
