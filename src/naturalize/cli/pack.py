"""``naturalize pack``: what a machine with a GPU needs, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, if_exists, tell
from naturalize.progress import bar


def pack(
    split: Annotated[Path, typer.Argument(help="Folder written by split.")],
    out: Out,
    composites: Annotated[Path | None, typer.Option(help="Folder written by compose.")] = None,
    crop: Annotated[int, typer.Option(help="Centre crop; 0 for the whole image.")] = 256,
    px: Annotated[int, typer.Option(help="Size the images are stored at.")] = 160,
    quality: Annotated[int, typer.Option(help="JPEG quality, 1 to 100.")] = 90,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Store the images of a split and its composites at working size, to train elsewhere.

    Carry the pack and the folders of split and composites (without its images).

    Example: naturalize pack out/split --composites out/composites -o out/pack

    Then: naturalize train out/split --composites out/composites --pack out/pack -o out/run
    """
    from naturalize.artefact import open_artefact
    from naturalize.train.pack import make_pack

    made = make_pack(
        open_artefact(split, "split"),
        out,
        composites=open_artefact(composites, "composites") if composites is not None else None,
        crop_px=crop or None,
        px=px,
        quality=quality,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    tell(made, as_json)
