"""``naturalize audit``: can composites be told from real images?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Overwrite, Resume, Seed, if_exists, tell
from naturalize.progress import bar


def audit(
    bank: Annotated[Path, typer.Argument(help="Folder written by cut.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write; with --sheet an HTML file.")
    ],
    recipe: Annotated[str, typer.Option(help="A shipped recipe or a YAML file.")] = "naturalize",
    count: Annotated[
        int | None,
        typer.Option(help="Real images, and composites, a pool.", show_default="300"),
    ] = None,
    seed: Seed = 0,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Write 20 real images and 20 composites, shuffled.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Let two probes try to tell composites from real images; say how well they can.

    A probe learns on one half of the train images and what was cut from it, and is judged on the
    other. With --sheet nothing is measured: a page lets a person try.

    Example: naturalize audit out/bank --recipe naturalize -o out/audit

    By eye: naturalize audit out/bank --sheet -o out/sheet.html
    """
    from naturalize.artefact import open_artefact
    from naturalize.compose.recipe import load_recipe
    from naturalize.errors import InputError

    source, plan = open_artefact(bank, "bank"), load_recipe(recipe)
    if sheet:
        if resume or count is not None:
            raise InputError("--sheet", "no --resume or --count beside it", "one")
        from naturalize.audit.sheet import write_sheet

        page = write_sheet(source, out, recipe=plan, seed=seed, overwrite=overwrite)
        typer.echo(json.dumps({"sheet": str(page)}) if as_json else str(page))
        return
    from naturalize.audit.findings import Findings
    from naturalize.audit.make_audit import COUNT, PAGE, make_audit

    made = make_audit(
        source,
        out,
        recipe=plan,
        count=count if count is not None else COUNT,
        seed=seed,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    found = Findings.load(made)
    table = Table("told from real", "probe", "AUC", title=f"recipe {plan.name}")
    for finding in found.found:
        table.add_row(finding.trial, finding.probe, finding.auc.said())
    tell(made, as_json, table)
    for finding in found.over_limit():
        typer.echo(f"warning: over its limit: {finding.said()}", err=True)
    if not as_json:
        typer.echo(str(made.path / PAGE))
