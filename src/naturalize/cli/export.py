"""``naturalize export``: what the project made, in the forms other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naturalize.cli.options import (
    AsJson,
    Out,
    Overwrite,
    Resume,
    Workers,
    counts_table,
    if_exists,
    tell,
)
from naturalize.errors import InputError
from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.artefact import Artefact, IfExists


def export(
    folder: Annotated[Path, typer.Argument(help="Folder written by cut, compose or train.")],
    out: Out,
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="For composites: coco, yolo or label-map. For a run: safetensors or onnx.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Of a bank, commas between; RBC, PLT or OBJ too. By default all."),
    ] = None,
    workers: Workers = 2,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a bank's cells as pictures, composites for detectors, or a trained network.

    Of a bank: PNG files, one folder a class, and a table of them. Of composites: the images with
    the box, the pixels and the category of every object, as coco, yolo (boxes alone) or label-map
    (16-bit PNG files and a table). Of a run: the network as safetensors or onnx, with a card that
    says what it takes, what it learned from and how well it does.

    Example: naturalize export out/bank --classes RBC,BNE,MMY,MY,PMY,SNE -o out/crops

    Example: naturalize export out/composites --as coco -o out/coco

    Example: naturalize export out/run --as onnx -o out/model
    """
    from naturalize.artefact import open_artefact

    source = open_artefact(folder, "bank", "composites", "run")
    mode = if_exists(resume, overwrite)
    if source.kind == "run":
        tell(_export_run(source, out, form, mode), as_json)
        return
    if source.kind == "bank":
        if form is not None:
            raise InputError("--as", "none for a bank, whose cells are written as PNG", form)
        made = _export_bank(source, out, classes, workers, mode)
        tell(made, as_json, counts_table("exported", made.summary["counts"], what="cells"))
        return
    if classes is not None:
        raise InputError("--classes", "none for composites, which are written whole", classes)
    made = _export_composites(source, out, form, workers, mode)
    counts = {name: count for name, count in made.summary["counts"].items() if count}
    tell(made, as_json, counts_table("exported", counts, of="category", what="objects"))


def _export_bank(
    bank: Artefact, out: Path, classes: str | None, workers: int, mode: IfExists
) -> Artefact:
    from naturalize.cutouts.export import export_cutouts

    names = None if classes is None else [name.strip() for name in classes.split(",")]
    return export_cutouts(bank, out, classes=names, workers=workers, if_exists=mode, track=bar)


def _export_composites(
    composites: Artefact, out: Path, form: str | None, workers: int, mode: IfExists
) -> Artefact:
    from naturalize.compose.export import FORMS, export_composites

    if form is None:
        raise InputError("--as", " or ".join(FORMS), "nothing")
    return export_composites(composites, out, form=form, workers=workers, if_exists=mode, track=bar)


def _export_run(run: Artefact, out: Path, form: str | None, mode: IfExists) -> Artefact:
    from naturalize.report.model_card import model_card
    from naturalize.train.export_model import FORMS, export_model

    if form is None or form not in FORMS:
        raise InputError("--as", " or ".join(FORMS), form or "nothing")
    return export_model(run, out, form=form, card=model_card(run), if_exists=mode)
