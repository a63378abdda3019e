"""``naturalize reader``: from a finished run to what ``predict`` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, Workers, if_exists, tell
from naturalize.progress import bar


def reader(
    run: Annotated[Path, typer.Argument(help="Folder written by train.")],
    out: Out,
    precision: Annotated[
        Literal["fp32", "int8"], typer.Option(help="Of the network's weights.")
    ] = "fp32",
    coverage: Annotated[
        float, typer.Option(help="How often a conformal set is to hold the true class.")
    ] = 0.95,
    seed: Seed = 0,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make a reader of a run: the network made small, its probabilities calibrated, its card.

    Calibrated on the run's validation images, in two halves; test images are not touched. Use it by
    predict --reader FOLDER; make model puts one into the package.

    Example: naturalize reader out/run -o out/reader
    """
    from naturalize.artefact import open_artefact
    from naturalize.calibrate.make_reader import make_reader
    from naturalize.calibrate.reader_card import about, reader_card

    source = open_artefact(run, "run")
    made = make_reader(
        source,
        out,
        about=about(source),
        card=reader_card(source),
        precision=precision,
        coverage=coverage,
        seed=seed,
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    tell(made, as_json)
