"""``naturalize audit``: can composites be told from real images? Does a network see the cell?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Overwrite, Resume, Seed, if_exists, tell
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.artefact import Artefact, IfExists


def audit(
    folders: Annotated[
        list[Path], typer.Argument(help="One folder written by cut, or some written by train.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write; with --sheet an HTML file.")
    ],
    recipe: Annotated[
        str | None,
        typer.Option(help="Of a bank: a shipped recipe or a YAML file.", show_default="naturalize"),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Of a bank: real images, and composites, a pool.", show_default="300"),
    ] = None,
    seed: Seed = 0,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Write 20 real images and 20 composites, shuffled.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Let probes try to tell composites from real images; or test whether a network sees the cell.

    Of a bank: a probe learns on one half of the train images and what was cut from it, and is
    judged on the other. With --sheet nothing is measured: a page lets a person try.

    Of runs: real test images are edited in memory (the cell alone, its surroundings alone, in
    other surroundings) and the networks asked again. Runs that differ in their seed are one model.

    Example: naturalize audit out/bank --recipe naturalize -o out/audit

    By eye: naturalize audit out/bank --sheet -o out/sheet.html

    Shortcuts: naturalize audit out/run-0 out/run-1 -o out/shortcuts
    """
    from naturalize.artefact import open_artefact

    opened = [open_artefact(folder, "bank", "run") for folder in folders]
    if opened[0].kind == "run":
        if recipe is not None or count is not None or sheet:
            raise InputError("--recipe, --count, --sheet", "none for runs", "one")
        _audit_runs(opened, out, seed, if_exists(resume, overwrite), as_json)
        return
    if len(opened) > 1:
        raise InputError("folders", "one bank, or runs", f"{len(opened)}")
    (bank,), name = opened, recipe or "naturalize"
    if not sheet:
        _audit_bank(bank, out, name, count, seed, if_exists(resume, overwrite), as_json)
        return
    if resume or count is not None:
        raise InputError("--sheet", "no --resume or --count beside it", "one")
    from naturalize.audit.sheet import write_sheet
    from naturalize.compose.recipe import load_recipe

    page = write_sheet(bank, out, recipe=load_recipe(name), seed=seed, overwrite=overwrite)
    typer.echo(json.dumps({"sheet": str(page)}) if as_json else str(page))


def _audit_bank(
    bank: Artefact,
    out: Path,
    recipe: str,
    count: int | None,
    seed: int,
    mode: IfExists,
    as_json: bool,
) -> None:
    """Let probes try to tell composites of a bank from real images, and say how well they can."""
    from naturalize.audit.findings import Findings
    from naturalize.audit.make_audit import COUNT, PAGE, make_audit
    from naturalize.compose.recipe import load_recipe

    plan = load_recipe(recipe)
    made = make_audit(
        bank,
        out,
        recipe=plan,
        count=count if count is not None else COUNT,
        seed=seed,
        if_exists=mode,
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


def _audit_runs(runs: list[Artefact], out: Path, seed: int, mode: IfExists, as_json: bool) -> None:
    """Test whether networks look at the cell, and say what they answered."""
    from naturalize.audit.make_shortcuts import PAGE, make_shortcuts
    from naturalize.audit.shortcut_findings import Shortcuts
    from naturalize.report.lineage import arm_names

    for other in runs:
        if other.kind != "run":
            raise InputError(str(other.path), "a run folder beside runs", f"a {other.kind} folder")
    made = make_shortcuts(arm_names(runs), out, seed=seed, if_exists=mode, track=bar)
    table = Table("model", "shown", "images", "accuracy", "change")
    for model in Shortcuts.load(made).models:
        table.add_row(model.name, "as they are", "", model.whole.accuracy.said(), "")
        for seen in model.seen:
            accuracy, change = seen.scores.accuracy.said(), seen.change.accuracy.said(signed=True)
            table.add_row("", seen.view, str(seen.n), accuracy, change)
    tell(made, as_json, table)
    if not as_json:
        typer.echo(str(made.path / PAGE))
