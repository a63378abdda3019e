"""``naturalize import``: a folder, zip or table of images becomes a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, counts_table, if_exists, tell
from naturalize.errors import InputError
from naturalize.progress import bar


def import_(
    source: Annotated[
        str, typer.Argument(help="Folder or zip with the images, or a CSV of paths and labels.")
    ],
    out: Out,
    layout: Annotated[
        str | None,
        typer.Option(
            "--as", help="pbc, folder, phantom, csv, voc or coco; found out where not said."
        ),
    ] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Cut single objects out of voc or coco fields.")
    ] = False,
    size: Annotated[
        int | None, typer.Option(help="Side of every crop in px; else that of its box.")
    ] = None,
    margin: Annotated[int, typer.Option(help="Pixels added round every box.")] = 8,
    classes: Annotated[
        str, typer.Option(help="Box labels to cut, with commas between; all by default.")
    ] = "",
    border: Annotated[
        bool, typer.Option("--border", help="Also cut what the field's border cuts off.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """List the images of a source, their classes, and what had to be set aside.

    Example: naturalize import PBC_dataset_normal_DIB -o out/dataset
    """
    from naturalize.datasets.crops import CropPlan
    from naturalize.datasets.import_dataset import import_dataset

    if not source.strip():
        raise InputError("source", "a folder, a zip file or a CSV table", "an empty name")
    labels = tuple(label.strip() for label in classes.split(",") if label.strip())
    made = import_dataset(
        Path(source),
        out,
        layout=layout,
        crops=CropPlan(size, margin, labels, border) if crops else None,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    aside = counts_table("set aside", made.summary["set_aside"], of="reason")
    tell(made, as_json, counts_table("imported", made.summary["counts"]), aside)
