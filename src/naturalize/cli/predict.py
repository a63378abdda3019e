"""``naturalize predict``: classes of cells, and what a person should look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from naturalize.cli.options import Overwrite, Workers, console
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.classify.outcome import Outcome
    from naturalize.classify.picture_source import PictureSource


def predict(
    source: Annotated[Path, typer.Argument(help="An image, a folder or a zip of images.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="CSV file; JSON and an HTML sheet come beside it."),
    ] = None,
    field: Annotated[
        bool, typer.Option("--field", help="Pictures are fields of view: find and count cells.")
    ] = False,
    centred: Annotated[
        bool,
        typer.Option("--centred", help="The cell lies in the middle, as in PBC: no segmentation."),
    ] = False,
    reader: Annotated[
        Path | None, typer.Option(help="Folder written by reader, instead of the shipped one.")
    ] = None,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was read as JSON, nothing else.")
    ] = False,
) -> None:
    """Say which blood cell each picture shows, how sure that is, and what a person should check.

    Needs no training and no torch. With --field every nucleated cell is read, red cells and
    platelets are counted, and a differential count is made with intervals; COCO boxes come too.

    Example: naturalize predict cells -o out/cells.csv

    Example: naturalize predict fields.zip --field -o out/fields.csv

    One picture: naturalize predict cell.jpg
    """
    from naturalize.classify.outcome import refuse_outputs
    from naturalize.classify.picture_source import picture_sources

    if field and centred:
        raise InputError("--field, --centred", "one of the two", "both")
    if out is not None:
        refuse_outputs(out, field=field, overwrite=overwrite)
    sources = picture_sources(source)
    outcome = _outcome(sources, field, centred, reader, workers, source.name)
    _refuse_single(source, sources, outcome)
    if out is not None:
        outcome.write(out)
    if as_json:
        typer.echo(json.dumps(outcome.told, indent=1))
        return
    _show(outcome, out)


def _outcome(
    sources: list[PictureSource],
    field: bool,
    centred: bool,
    reader: Path | None,
    workers: int,
    title: str,
) -> Outcome:
    from naturalize.classify.outcome import cells_outcome, fields_outcome
    from naturalize.classify.read_fields import read_fields
    from naturalize.classify.read_pictures import opened_reader, read_cells

    opened = opened_reader(reader)
    if field:
        found = list(read_fields(sources, reader=reader, workers=workers, track=bar))
        return fields_outcome(found, opened, title=title)
    rows = list(read_cells(sources, reader=reader, centred=centred, workers=workers, track=bar))
    return cells_outcome(rows, opened, title=title)


def _refuse_single(source: Path, sources: list[PictureSource], outcome: Outcome) -> None:
    """Where the one picture asked for cannot be read, that is a mistake, not a finding."""
    from naturalize.classify.read_pictures import UNREADABLE

    if source.is_file() and len(sources) == 1:
        reasons = [reason for _, cell in outcome.rows for reason in cell.reasons]
        if reasons and reasons[0].startswith(UNREADABLE):
            sources[0].read()


def _show(outcome: Outcome, out: Path | None) -> None:
    """Print a few rows, or where the files lie."""
    if out is None:
        table = Table("picture", "class", "probability", "set", "to be looked at")
        for name, cell in outcome.rows:
            share = f"{cell.probability:.2f}" if cell.label else ""
            table.add_row(name, cell.label, share, " ".join(cell.classes), "; ".join(cell.reasons))
        console.print(table)
    found = outcome.told.get("differential")
    if found is not None:
        _show_differential(found)
    looked = sum(cell.review for _, cell in outcome.rows)
    what = "pictures" if found is None else "cells"
    typer.echo(f"{what}: {len(outcome.rows):,}, to be looked at: {looked:,}")
    if out is not None:
        typer.echo(str(out.with_suffix(".html")))
        typer.echo(str(out))


def _show_differential(found: dict[str, object]) -> None:
    percent, counted = found["percent_corrected"], found["percent_counted"]
    assert isinstance(percent, dict)
    assert isinstance(counted, dict)
    table = Table("% of leukocytes", "as counted", "corrected", "95% interval")
    for name, (value, low, high) in percent.items():
        table.add_row(name, f"{counted[name]}", f"{value}", f"{low} to {high}")
    console.print(table)
    leukocytes, nrbc = found["leukocytes"], found["nrbc_per_100"]
    if isinstance(nrbc, list):
        typer.echo(f"NRBC per 100 leukocytes: {nrbc[0]} ({nrbc[1]} to {nrbc[2]})")
    if found["too_few"]:
        typer.echo(f"warning: too few leukocytes for a differential: {leukocytes}", err=True)
