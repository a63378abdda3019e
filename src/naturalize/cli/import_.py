"""``naturalize import``: a folder or zip of images becomes a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, counts_table, if_exists, tell
from naturalize.progress import bar


def import_(
    source: Annotated[Path, typer.Argument(help="Folder or zip file with the images.")],
    out: Out,
    layout: Annotated[
        str | None,
        typer.Option("--as", help="pbc, folder or phantom; found out where not said."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """List the images of a folder or zip, their classes, and what had to be set aside.

    Example: naturalize import PBC_dataset_normal_DIB -o out/dataset
    """
    from naturalize.datasets.import_dataset import import_dataset

    mode = if_exists(resume, overwrite)
    made = import_dataset(source, out, layout=layout, if_exists=mode, track=bar)
    aside = counts_table("set aside", made.summary["set_aside"], of="reason")
    tell(made, as_json, counts_table("imported", made.summary["counts"]), aside)
