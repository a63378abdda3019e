"""``naturalize phantom``: procedural images with exact masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from naturalize.cli.options import (
    AsJson,
    Out,
    Overwrite,
    Resume,
    Seed,
    counts_table,
    if_exists,
    tell,
)
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.optics import Background

BACTERIA: dict[str, Background] = {"bacteria": "light", "bacteria-dark": "dark"}


def phantom(
    out: Out,
    kind: Annotated[
        str, typer.Option(help="blood; or bacteria, bacteria-dark (fluorescent): no blood at all.")
    ] = "blood",
    count: Annotated[
        int,
        typer.Option(help="Images, dealt to classes as in PBC, or evenly to three of bacteria."),
    ] = 660,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw a data set of phantom smear images of the 11 PBC classes, with exact masks.

    Phantoms test and demonstrate; they are evidence of nothing about real images. Those of bacteria
    show how to use a folder of other objects than blood cells.

    Example: naturalize phantom --count 660 -o out/phantom

    Example: naturalize phantom --kind bacteria-dark --count 90 -o out/bacteria
    """
    from naturalize.datasets.phantom import write_phantom
    from naturalize.datasets.phantom_bacteria import write_bacteria

    mode = if_exists(resume, overwrite)
    if kind == "blood":
        made = write_phantom(out, count=count, seed=seed, if_exists=mode, track=bar)
    elif kind in BACTERIA:
        made = write_bacteria(
            out, count=count, seed=seed, background=BACTERIA[kind], if_exists=mode, track=bar
        )
    else:
        raise InputError("--kind", " or ".join(["blood", *BACTERIA]), kind)
    tell(made, as_json, counts_table("phantom", made.summary["counts"]))
