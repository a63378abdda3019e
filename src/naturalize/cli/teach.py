"""``naturalize teach``: a network that sees cells, taught by the cells of a bank."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, Workers, if_exists, tell
from naturalize.progress import bar


def teach(
    bank: Annotated[Path, typer.Argument(help="Folder written by cut.")],
    out: Out,
    lessons: Annotated[int, typer.Option(help="Crowded composites to learn from.")] = 6000,
    steps: Annotated[int, typer.Option(help="Batches of 16 examples to learn.")] = 8000,
    seed: Seed = 0,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Teach the network that parts touching cells, by composites whose every outline is known.

    The shipped one was taught so. One of your own slides is used by: cut --network FILE.

    Example: naturalize teach out/bank -o out/network
    """
    from naturalize.artefact import open_artefact
    from naturalize.teach.make_network import NETWORK, make_network

    made = make_network(
        open_artefact(bank, "bank"),
        out,
        lessons=lessons,
        steps=steps,
        seed=seed,
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    tell(made, as_json)
    if not as_json:
        typer.echo(str(made.path / NETWORK))
