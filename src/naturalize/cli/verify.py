"""``naturalize verify``: do the files at hand match the index of the public data?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from naturalize.cli.options import Workers, console
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.datasets.verify import Verification

_SHOWN = 10


def verify(
    target: Annotated[str, typer.Argument(help="Folder, zip or data set to compare.")],
    against: Annotated[str, typer.Option(help="The public data set it should be.")] = "pbc",
    strict: Annotated[bool, typer.Option(help="Exit with 1 if anything differs.")] = False,
    workers: Workers = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every difference as JSON, nothing else.")
    ] = False,
) -> None:
    """Compare files with the shipped index by name, size and sha256: missing, extra, altered.

    Example: naturalize verify PBC_dataset_normal_DIB --strict
    """
    from naturalize.datasets.public_index import load_index
    from naturalize.datasets.sources import public_source
    from naturalize.datasets.verify import verify as run

    if not target.strip():
        raise InputError("target", "a folder, zip or data set", "an empty name")
    index = load_index(public_source(against).index)
    found = run(Path(target), index, workers=workers, track=bar)
    if as_json:
        typer.echo(
            json.dumps({"against": against, "whole": found.whole, **asdict(found)}, indent=2)
        )
    else:
        _print(found, against)
    if strict and not found.whole:
        raise typer.Exit(1)


def _print(found: Verification, against: str) -> None:
    """Print the counts and the first differences of each kind."""
    console.print(_table(found, against))
    for kind in ("missing", "extra", "altered"):
        rows = getattr(found, kind)
        for path, reason in rows[:_SHOWN]:
            console.print(f"{kind}: {escape(_printable(path))} ({escape(reason)})", soft_wrap=True)
        if len(rows) > _SHOWN:
            console.print(f"{kind}: {len(rows) - _SHOWN:,} more (--json tells all)")


def _table(found: Verification, against: str) -> Table:
    table = Table(title=f"compared with {against}", title_justify="left")
    table.add_column("files")
    table.add_column("number", justify="right")
    table.add_row("in the index", f"{found.expected:,}")
    table.add_section()
    table.add_row("the same", f"{found.same:,}")
    for kind in ("missing", "extra", "altered"):
        table.add_row(kind, f"{len(getattr(found, kind)):,}")
    return table


def _printable(path: str) -> str:
    """Return a path that any terminal can print; odd bytes and line breaks become escapes.

    >>> _printable("a/line\\nbreak")
    'a/line\\\\nbreak'
    """
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in path)
