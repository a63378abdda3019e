"""``naturalize phantom``: procedural smear images with exact masks."""

from __future__ import annotations

from typing import Annotated

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
from naturalize.progress import bar


def phantom(
    out: Out,
    count: Annotated[int, typer.Option(help="Images, dealt to classes as in PBC.")] = 660,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw a data set of phantom smear images of the 11 PBC classes, with exact masks.

    Phantoms test and demonstrate; they are evidence of nothing about real images.

    Example: naturalize phantom --count 660 -o out/phantom
    """
    from naturalize.datasets.phantom import write_phantom

    mode = if_exists(resume, overwrite)
    made = write_phantom(out, count=count, seed=seed, if_exists=mode, track=bar)
    tell(made, as_json, counts_table("phantom", made.summary["counts"]))
