"""Options that several verbs share, and how a verb tells what it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from naturalize.artefact import Artefact, IfExists
from naturalize.errors import InputError

if TYPE_CHECKING:
    from naturalize.optics import Background

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder to write; must not exist yet.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an interrupted run; keep a finished one.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the manifest as JSON, nothing else.")]
Seed = Annotated[int, typer.Option(help="Root of all randomness; the same seed, the same result.")]
Workers = Annotated[int, typer.Option(help="Processes; changes the time, not the result.")]

Objects = Annotated[
    str | None,
    typer.Option(help="The masks show no blood but objects on a background: light or dark."),
]

console = Console()


def if_exists(resume: bool, overwrite: bool) -> IfExists:
    """Turn the two flags into what :func:`naturalize.artefact.build` takes."""
    if resume and overwrite:
        raise InputError("--resume, --overwrite", "one of the two", "both")
    return "resume" if resume else "overwrite" if overwrite else "refuse"


def background(objects: str | None) -> Background | None:
    """Return what ``--objects`` says; refuse anything but light and dark."""
    if objects in ("light", "dark", None):
        return cast("Background | None", objects)
    raise InputError("--objects", "light or dark", objects)


def tell(artefact: Artefact, as_json: bool, *tables: Table) -> None:
    """Print what was made: tables and the path last, or the manifest as JSON."""
    if as_json:
        typer.echo(json.dumps(artefact.manifest, indent=2, ensure_ascii=False))
        return
    for table in tables:
        console.print(table)
    typer.echo(f"{artefact.kind} {artefact.id}")
    typer.echo(str(artefact.path))


def counts_table(
    title: str, rows: dict[str, Any], *, of: str = "class", what: str = "images"
) -> Table:
    """Return a table of names and numbers with their total."""
    table = Table(title=title, title_justify="left")
    table.add_column(of)
    table.add_column(what, justify="right")
    for name, count in rows.items():
        table.add_row(escape(str(name)), f"{count:,}")
    table.add_section()
    table.add_row("total", f"{sum(rows.values()):,}")
    return table
