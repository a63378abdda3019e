"""``naturalize evaluate``: scores on untouched images, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, if_exists, tell


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Folders written by train, of one split.")],
    out: Out,
    seed: Seed = 0,
    average: Annotated[
        Literal["equal", "validation"] | None,
        typer.Option(help="Ask all runs together too: each the same, or weighted on validation."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score runs on their untouched test images, compare arms, and write one HTML page.

    Runs of one arm and model are its seeds. The first arm is the baseline.

    Example: naturalize evaluate out/run-flips out/run-naturalize -o out/report

    Together: naturalize evaluate out/run-v2b0 out/run-169 --average equal -o out/report
    """
    from naturalize.artefact import open_artefact
    from naturalize.evaluate.evaluation import EvaluationReport
    from naturalize.report.make_report import EVALUATION, PAGE, make_report

    opened = [open_artefact(run, "run") for run in runs]
    made = make_report(
        opened, out, seed=seed, average=average, if_exists=if_exists(resume, overwrite)
    )
    found = EvaluationReport.load(made.path / EVALUATION)
    table = Table("arm", "accuracy", "macro F1", title="untouched test images")
    for arm in found.arms:
        table.add_row(arm.name, arm.scores.accuracy.said(), arm.scores.macro_f1.said())
    tell(made, as_json, table)
    if not as_json:
        typer.echo(str(made.path / PAGE))
