"""``naturalize curate``: what is wrong with a data set."""

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


def curate(
    dataset: Annotated[Path, typer.Argument(help="Folder written by import or phantom.")],
    out: Out,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if anything was found.")] = False,
    preset: Annotated[str, typer.Option(help="What drops an image: minimal or paper.")] = "minimal",
    decisions: Annotated[
        Path | None,
        typer.Option(help="Table decisions.csv, downloaded from an earlier curation.html."),
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(help="val.npz or test.npz of a run, to find label suspects; repeatable."),
    ] = None,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find what is wrong with a data set: findings.csv, and curation.html to look and decide.

    Unreadable files, copies (exact, encoded again or turned), images of one slide region,
    contradicting labels, poor focus and exposure, a source that gives the class away.
    Images that show the same thing are grouped, so that a split keeps them on one side.

    Open curation.html in a browser, choose keep, drop, relabel or group, download decisions.csv,
    and curate again with --decisions.

    Example: naturalize curate out/dataset -o out/curated
    """
    from naturalize.artefact import open_artefact
    from naturalize.curate.clean import curate as run

    mode = if_exists(resume, overwrite)
    made = run(
        open_artefact(dataset, "dataset"),
        out,
        preset=preset,
        decisions=decisions,
        predictions=predictions or (),
        workers=workers,
        if_exists=mode,
        track=bar,
    )
    found = counts_table("findings", made.summary["findings"], of="kind")
    tell(made, as_json, found, counts_table("kept", made.summary["counts"]))
    if strict and made.summary["findings"]:
        raise typer.Exit(1)
