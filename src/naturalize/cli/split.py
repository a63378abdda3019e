"""``naturalize split``: train, validation and test, before anything is cut out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, if_exists, tell
from naturalize.errors import InputError

if TYPE_CHECKING:
    from naturalize.split.folds import Fold


def split(
    curated: Annotated[Path, typer.Argument(help="Folder written by curate.")],
    out: Out,
    seed: Seed = 0,
    cap: Annotated[int | None, typer.Option(help="At most so many images of a class.")] = None,
    folds: Annotated[
        int | None, typer.Option(help="One of so many folds instead of 80/10/10; see --fold.")
    ] = None,
    fold: Annotated[
        int | None,
        typer.Option(help="With --folds: the fold to test on, from 0; the next one validates."),
    ] = None,
    repeat: Annotated[
        int, typer.Option(help="With --folds: another way to deal the folds, from 0.")
    ] = 0,
    frozen: Annotated[
        Path | None,
        typer.Option("--from", help="Take the sides from this table (columns id, side)."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Split 80/10/10 by class; what shows the same thing stays together; prove that nothing leaks.

    Cross-validation is one split a fold: --folds 5 --fold 0, 1, ... tests each image once;
    --repeat 1, 2, ... deals the folds anew.

    Example: naturalize split out/curated -o out/split --seed 2023
    """
    from naturalize.artefact import open_artefact
    from naturalize.split.make_split import make_split

    made = make_split(
        open_artefact(curated, "curated"),
        out,
        seed=seed,
        cap=cap,
        fold=_fold(folds, fold, repeat),
        frozen=frozen,
        if_exists=if_exists(resume, overwrite),
    )
    table = Table("class", *made.summary["counts"], title="split", title_justify="left")
    for label in made.summary["classes"]:
        table.add_row(label, *(f"{side[label]:,}" for side in made.summary["counts"].values()))
    tell(made, as_json, table, *_pairs(made.summary["found_pairs"]))


def _fold(folds: int | None, fold: int | None, repeat: int) -> Fold | None:
    from naturalize.split.folds import Fold

    if folds is None:
        if fold is not None or repeat:
            raise InputError("--fold, --repeat", "--folds beside them", "none")
        return None
    if fold is None:
        raise InputError("--folds", f"--fold 0 to {folds - 1} beside it", "none")
    return Fold(folds, fold, repeat)


def _pairs(found: dict[str, dict[str, int]]) -> list[Table]:
    """Say what the groups are worth; nothing where there are none."""
    if not found:
        return []
    columns = ("pairs", "parted", "parted without groups")
    table = Table("images of one thing", *columns, title="leaks", title_justify="left")
    for kind, count in found.items():
        table.add_row(kind.replace("_", " "), *(f"{n:,}" for n in count.values()))
    return [table]
