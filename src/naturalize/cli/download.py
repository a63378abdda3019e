"""``naturalize download``: a public data set, whole and checked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Workers
from naturalize.errors import InputError
from naturalize.progress import bar


def download(
    name: Annotated[str, typer.Argument(help="The data set: pbc.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder to fetch it into.")],
    url: Annotated[
        str | None,
        typer.Option(help="Fetch the zip from here; the shipped index alone vouches for it."),
    ] = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Download a public data set; the same command goes on with an interrupted one.

    Example: naturalize download pbc -o data
    """
    from naturalize.datasets.download import download as run
    from naturalize.datasets.http_get import Patience
    from naturalize.datasets.sources import public_source

    if not out.strip():
        raise InputError("--out", "a folder", "an empty name")
    source = public_source(name)
    patience = Patience(say=lambda why: typer.echo(why, err=True))
    try:
        path = run(name, Path(out), url=url, patience=patience, workers=workers, track=bar)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        raise typer.Exit(130) from None
    if as_json:
        told = {"name": name, "path": str(path), "licence": source.licence}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{source.title}\nlicence: {source.licence}\nevery file is as the index says")
    typer.echo(f"next: naturalize import {path} -o out/dataset\n{path}")
