"""``naturalize study``: arms x sizes x seeds from a spec, resumable, spread over processes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from naturalize.cli.options import Workers, console
from naturalize.progress import bar, quiet

if TYPE_CHECKING:
    from naturalize.study.prepare import Home
    from naturalize.study.results import StudyResults
    from naturalize.study.run_study import Share, Told


def study(
    spec: Annotated[str, typer.Argument(help="A shipped spec (see --list), or a YAML file.")] = "",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the study; a rerun goes on in it.")
    ] = Path("out/study"),
    split: Annotated[
        Path | None, typer.Option(help="Folder written by split; phantoms where the spec has them.")
    ] = None,
    share: Annotated[
        str, typer.Option(help="I/N: run the I-th of N shares; run once more without, to merge.")
    ] = "1/1",
    plan: Annotated[bool, typer.Option("--plan", help="Say what it will cost, and stop.")] = False,
    render: Annotated[
        bool, typer.Option("--render", help="Train nothing; write tables and page of what is done.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the shipped specs.")] = False,
    workers: Workers = 1,
) -> None:
    """Run a study cell by cell and write JSON, tables, curves and one page.

    The same command goes on where it was interrupted, and does what other shares left.

    Example: naturalize study quick -o out/quick

    On two machines: naturalize study low-data --split out/split --share 1/2 -o out/low-data
    """
    from naturalize.study.spec import load_spec, shipped_specs

    if listed or not spec:
        for name in shipped_specs():
            typer.echo(f"{name:<10} {load_spec(name).question}")
        return
    from naturalize.artefact import open_artefact, write_whole
    from naturalize.study.phantom_split import phantom_split
    from naturalize.study.prepare import Home
    from naturalize.study.render_study import PAGE, render_study
    from naturalize.study.results import gather
    from naturalize.study.run_study import Share, run_study

    asked, part = load_spec(spec), Share.read(share)
    out.mkdir(parents=True, exist_ok=True)
    data = (
        open_artefact(split, "split")
        if split is not None
        else phantom_split(asked, out / "data", workers=workers, track=bar)
    )
    home = Home(out.resolve(), asked, data, workers, bar if console.is_terminal else quiet)
    home.check()
    missing = 0
    if not render:
        expected = _tell_plan(home, part)
        if plan:
            return
        write_whole(out / "spec.yaml", asked.yaml())
        missing = run_study(home, part, _Watch(expected).hear)
    results = gather(home)
    render_study(home, results)
    console.print(_table(results))
    if missing:
        typer.echo(f"{missing} cells are missing: run the other shares, or this again", err=True)
    typer.echo(str(out / PAGE))


def _tell_plan(home: Home, share: Share) -> float:
    """Say how many cells there are and how long they will take; return the seconds of a cell."""
    from naturalize.study.choose import is_done
    from naturalize.study.probe import cost, probe
    from naturalize.study.run_study import planned

    first, last = planned(home)
    known = [cell for cell in share.of([*first, *last]) if not is_done(home, cell)]
    waiting = last.count(None) // share.count
    typer.echo(
        f"{len(first) + len(last)} cells; {len(known) + waiting} to be done in this share, "
        f"{waiting} of them after a choice on validation images"
    )
    if not known:
        return 0.0
    typer.echo("timing a few images ...")
    seconds = cost(home, known, probe(home, known))
    each = seconds / len(known)
    typer.echo(f"about {_clock(seconds + waiting * each)} on this machine ({_clock(each)} a cell)")
    return each


class _Watch:
    """Hears of cells as they are finished, and says how long the rest will take."""

    def __init__(self, expected: float) -> None:
        self._each = [expected] if expected else []

    def hear(self, told: Told) -> None:
        if self._each and len(self._each) == 1:
            self._each.append(told.seconds)
        self._each.append(told.seconds)
        mean = sum(self._each[-20:]) / len(self._each[-20:])
        left = (told.total - told.done + told.waiting) * mean
        ends = time.strftime("%H:%M", time.localtime(time.time() + left))
        typer.echo(
            f"{told.done:>4} of {told.total}  {_clock(told.seconds):>8}  {told.cell}  "
            f"(about {_clock(left)} left, till {ends})"
        )


def _table(results: StudyResults) -> Table:
    """Show macro F1 of each arm at each size."""
    from naturalize.study.grids import titled

    table = Table("arm", *(titled(block) for block in results.blocks), title="macro F1")
    for name in results.spec.arms:
        cells = [
            next((a.scores.macro_f1.said() for a in b.report.arms if a.name == name), "not done")
            for b in results.blocks
        ]
        table.add_row(name, *cells)
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
