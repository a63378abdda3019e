"""``naturalize study``: arms x sizes x seeds from a spec, resumable, spread over processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from naturalize.cli.options import Workers, console
from naturalize.progress import bar, quiet

if TYPE_CHECKING:
    from naturalize.artefact import Artefact
    from naturalize.progress import Track
    from naturalize.study.paper_spec import PaperSpec
    from naturalize.study.prepare import Home
    from naturalize.study.results import StudyResults
    from naturalize.study.run_study import Share, Told
    from naturalize.study.spec import Spec


def study(
    spec: Annotated[str, typer.Argument(help="A shipped spec (see --list), or a YAML file.")] = "",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the study; a rerun goes on in it.")
    ] = Path("out/study"),
    split: Annotated[
        Path | None, typer.Option(help="Folder written by split; phantoms where the spec has them.")
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(help="Data set of other slides, by import: asked about, never learned from."),
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
    from naturalize.study.paper_spec import PaperSpec
    from naturalize.study.run_study import Share

    asked, part = load_spec(spec), Share.read(share)
    data = _data(asked, split, out, workers)
    out.mkdir(parents=True, exist_ok=True)
    ask = _Asked(out.resolve(), data, _other(other), part, plan, render, workers)
    missing = _rerun_paper(asked, ask) if isinstance(asked, PaperSpec) else _study(asked, ask)
    if missing:
        typer.echo(f"{missing} cells are missing: run the other shares, or this again", err=True)
    if not plan:
        typer.echo(str(out / "study.html"))


@dataclass(frozen=True)
class _Asked:
    """What the command line said."""

    out: Path
    data: Artefact
    other: Artefact | None
    share: Share
    plan: bool
    render: bool
    workers: int

    @property
    def track(self) -> Track:
        return bar if console.is_terminal else quiet


def _data(asked: Spec | PaperSpec, split: Path | None, out: Path, workers: int) -> Artefact:
    from naturalize.artefact import open_artefact
    from naturalize.study.phantom_split import phantom_split

    if split is not None:
        return open_artefact(split, "split")
    return phantom_split(asked.name, asked.phantoms, out / "data", workers=workers, track=bar)


def _other(folder: Path | None) -> Artefact | None:
    from naturalize.artefact import open_artefact

    return open_artefact(folder, "dataset", "curated") if folder is not None else None


def _study(asked: Spec, ask: _Asked) -> int:
    """Run a study of the real protocol; return how many cells are missing."""
    from naturalize.artefact import write_whole
    from naturalize.study.prepare import Home
    from naturalize.study.render_study import render_study
    from naturalize.study.results import gather
    from naturalize.study.run_study import run_study

    home = Home(ask.out, asked, ask.data, ask.workers, ask.track, ask.other)
    home.check()
    missing = 0
    if not ask.render:
        expected = _tell_plan(home, ask.share)
        if ask.plan:
            return 0
        write_whole(ask.out / "spec.yaml", asked.yaml())
        missing = run_study(home, ask.share, _Watch(expected).hear)
    results = gather(home)
    render_study(home, results)
    console.print(_table(results))
    return missing


def _rerun_paper(asked: PaperSpec, ask: _Asked) -> int:
    """Run the paper's protocol; return how many cells are missing."""
    from naturalize.artefact import write_whole
    from naturalize.study.paper_page import render_paper
    from naturalize.study.paper_results import gather_paper
    from naturalize.study.paper_run import PaperHome, paper_cells, run_paper

    home = PaperHome(ask.out, asked, ask.data.input("curated"), ask.workers, ask.track)
    cells = list(paper_cells(asked))
    typer.echo(f"{len(cells)} trainings, each shown {asked.training.budget:,} images")
    if ask.plan:
        return 0
    write_whole(ask.out / "spec.yaml", asked.yaml())
    missing = 0 if ask.render else run_paper(home, ask.share, _Watch(0.0).hear)
    render_paper(home, gather_paper(home))
    return missing


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
    rates = probe(home, known)
    each = cost(home, known, rates) / len(known)
    total = each * (len(known) + waiting)
    typer.echo(
        f"about {_clock(total)} as busy as this machine is now, {_clock(each)} a cell; "
        f"{_clock(total * rates.cores)} of one core's work (this process had {rates.cores:.2f})"
    )
    return each


class _Watch:
    """Hears of cells as they are finished, and says how long the rest will take."""

    def __init__(self, expected: float) -> None:
        self._each = [expected] if expected else []

    def hear(self, told: Told) -> None:
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
