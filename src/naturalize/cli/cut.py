"""``naturalize cut``: cells and plates of the train images, kept in a bank."""

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


def cut(
    split: Annotated[Path, typer.Argument(help="Folder written by split.")],
    out: Out,
    segmenter: Annotated[str, typer.Option("--with", help="Segmenter: smear.")] = "smear",
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Segment the train images and keep their cells, red cells, platelets and plates.

    Example: naturalize cut out/split -o out/bank
    """
    from naturalize.artefact import open_artefact
    from naturalize.cutouts.make_bank import make_bank

    made = make_bank(
        open_artefact(split, "split"),
        out,
        segmenter=segmenter,
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    taken = counts_table("cut out", made.summary["subjects"], what="cells")
    refused = made.summary["turned_down"]
    tell(made, as_json, taken, counts_table("not taken", refused, of="reason", what="objects"))
