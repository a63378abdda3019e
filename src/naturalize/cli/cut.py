"""``naturalize cut``: cells and plates of the train images, kept in a bank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from naturalize.cli.options import (
    AsJson,
    Objects,
    Out,
    Overwrite,
    Resume,
    Workers,
    background,
    counts_table,
    if_exists,
    tell,
)
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.segment import Segmenter


def cut(
    split: Annotated[Path, typer.Argument(help="Folder written by split.")],
    out: Out,
    segmenter: Annotated[
        str | None, typer.Option("--with", help="Segmenter: smear or sam.", show_default="smear")
    ] = None,
    microns_per_px: Annotated[
        float | None, typer.Option(help="Size of a pixel, where no red cell tells it (smear).")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Network written by teach (smear).", show_default="shipped")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Hub id or folder of the model (sam).", show_default=False)
    ] = None,
    prompts: Annotated[
        str | None, typer.Option(help="What sam is asked: smear's cells, or a grid.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder with a label image for each train image, instead.")
    ] = None,
    objects: Objects = None,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Segment the train images and keep their cells, red cells, platelets and plates.

    Look at contact.html in the bank to see what was taken and what was turned down.

    Label images are those of Cellpose, QuPath and the like: one channel, each object a number. They
    carry the names of the images, with suffix .png, .tif, .tiff or .npy. With --objects they show
    things of any kind: the one at the centre is of the image's class, the others lie beside it.

    Example: naturalize cut out/split -o out/bank

    Example: naturalize cut out/split --masks out/cellpose -o out/bank

    Example: naturalize cut out/split --masks seeds/masks --objects light -o out/bank
    """
    from naturalize.artefact import open_artefact
    from naturalize.cutouts.make_bank import make_bank

    options = {
        "microns_per_px": microns_per_px,
        "network": network,
        "weights": weights,
        "prompts": prompts,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if masks is not None and (segmenter or given):
        raise InputError("--masks", "no segmenter and none of its options beside it", "both")
    made = make_bank(
        open_artefact(split, "split"),
        out,
        objects=background(objects),
        segmenter=_segmenter(segmenter or "smear", given) if masks is None else None,
        masks=masks,
        workers=workers,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    taken = counts_table("cut out", made.summary["subjects"], what="cells")
    refused = made.summary["turned_down"]
    tell(made, as_json, taken, counts_table("not taken", refused, of="reason", what="objects"))


def _segmenter(name: str, options: Mapping[str, Any]) -> Segmenter:
    """Return the segmenter called ``name``; refuse an option that it does not know."""
    from inspect import signature

    from naturalize.segment import SEGMENTERS

    if name not in SEGMENTERS:
        raise InputError("--with", " or ".join(SEGMENTERS), name)
    kind = SEGMENTERS[name]
    for option in options.keys() - signature(kind).parameters.keys():
        flag = f"--{option.replace('_', '-')}"
        raise InputError(flag, f"no such option for --with {name}", options[option])
    return kind(**options)
