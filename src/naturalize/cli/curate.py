"""``naturalize curate``: what is wrong with a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, counts_table, if_exists, tell
from naturalize.progress import bar


def curate(
    dataset: Annotated[Path, typer.Argument(help="Folder written by import or phantom.")],
    out: Out,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if anything was found.")] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find unreadable files, exact duplicates and contradicting labels; see findings.csv.

    Example: naturalize curate out/dataset -o out/curated
    """
    from naturalize.artefact import open_artefact
    from naturalize.curate.clean import curate as run

    mode = if_exists(resume, overwrite)
    made = run(open_artefact(dataset, "dataset"), out, if_exists=mode, track=bar)
    found = counts_table("findings", made.summary["findings"], of="kind")
    tell(made, as_json, found, counts_table("kept", made.summary["counts"]))
    if strict and made.summary["findings"]:
        raise typer.Exit(1)
