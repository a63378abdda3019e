"""``naturalize explain``: where a trained network looks, and how far to trust that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from naturalize.artefact import MANIFEST, Artefact
from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, if_exists, tell
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.explain.pictured import Pictured


def explain(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders written by train, then images or folders of them.")
    ],
    out: Out,
    label: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain.", show_default="the one predicted"),
    ] = None,
    each_class: Annotated[
        bool, typer.Option("--each-class", help="One test image of each class, drawn by --seed.")
    ] = False,
    channels: Annotated[
        str, typer.Option(help="Groups of near-identical maps shown as masks; all: every map.")
    ] = "96",
    weighting: Annotated[
        Literal["softmax", "increase"],
        typer.Option(help="Of maps: softmax of logits, or increase of the class's probability."),
    ] = "softmax",
    memory: Annotated[int, typer.Option(help="MiB that masked images may take at once.")] = 64,
    colours: Annotated[Literal["jet", "viridis"], typer.Option(help="Of the heat.")] = "jet",
    trust: Annotated[
        bool, typer.Option(help="Measure how far each picture can be trusted (most of the time).")
    ] = True,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw which places of an image speak for a class, by Score-CAM, and measure the trust in it.

    For each image and run: the square the network sees, the heat, both laid over one another, and
    a gallery to be sorted by doubt. Several runs are asked one by one.

    Example: naturalize explain out/run SNE_0001.jpg -o out/reasons

    The paper's Figure 11: naturalize explain out/run --each-class -o out/figure-11
    """
    from naturalize.explain.make_explanations import PAGE, Asked, make_explanations
    from naturalize.explain.score_cam import CamSettings

    runs, files = _told_apart(paths)
    made = make_explanations(
        runs,
        _shown(runs, files, each_class, seed),
        out,
        asked=Asked(label, CamSettings(_count(channels), weighting, memory), colours, trust),
        seed=seed,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    table = Table("run", "insertion", "deletion", "ROAD", "heat in cell", "like untrained")
    for run, mean in made.summary["trust"].items():
        names = ("insertion", "deletion", "road", "in_cell", "like_untrained")
        table.add_row(run, *("–" if mean[n] is None else f"{mean[n]:.3f}" for n in names))
    tell(made, as_json, *([table] if table.rows else []))
    if not as_json:
        typer.echo(str(made.path / PAGE))


def _told_apart(paths: Sequence[Path]) -> tuple[list[Artefact], list[Path]]:
    """Return the runs among ``paths``, and the rest: images and their folders."""
    from naturalize.artefact import open_artefact

    found = [path for path in paths if (path / MANIFEST).is_file()]
    if not found:
        raise InputError("paths", "a run folder first", paths[0])
    return [open_artefact(path, "run") for path in found], [p for p in paths if p not in found]


def _shown(
    runs: Sequence[Artefact], files: Sequence[Path], each_class: bool, seed: int
) -> list[Pictured]:
    """List the images asked for, with what the split of the runs knows of them."""
    from naturalize.explain.pictured import known_to, one_each_class, pictured
    from naturalize.split.split import RealSplit

    if each_class == bool(files):
        got = "both" if files else "neither"
        raise InputError("images", "some, or --each-class", got)
    if each_class:
        return one_each_class(RealSplit.load(runs[0].input("split")), seed=seed)
    try:
        known = known_to(RealSplit.load(runs[0].input("split")))
    except InputError as error:
        typer.echo(f"warning: the truth is not known: {error}", err=True)
        known = {}
    return pictured(files, known)


def _count(channels: str) -> int | None:
    if channels == "all":
        return None
    if not channels.isdigit():
        raise InputError("--channels", "a whole number or all", channels)
    return int(channels)
