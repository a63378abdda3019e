"""``naturalize train``: a model from the train side, its predictions on the other two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, if_exists, tell
from naturalize.progress import bar


def train(
    split: Annotated[Path, typer.Argument(help="Folder written by split.")],
    out: Out,
    arm: Annotated[
        str | None,
        typer.Option(
            help="none, flips or naturalize; by default flips, or naturalize with --composites."
        ),
    ] = None,
    composites: Annotated[
        Path | None, typer.Option(help="Folder written by compose, for the naturalize arm.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="Folder written by pack; images are read from it.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="efficientnet-lite0 or custom-cnn.")
    ] = "efficientnet-lite0",
    mode: Annotated[
        Literal["finetune", "transfer"], typer.Option(help="All layers, or a new head only.")
    ] = "finetune",
    weights: Annotated[
        str | None, typer.Option(help="package, random, or a safetensors or state-dict file.")
    ] = None,
    budget: Annotated[int, typer.Option(help="Images seen during training.")] = 40_000,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak; by default the mode's.")
    ] = None,
    px: Annotated[int | None, typer.Option(help="Input size; by default the model's.")] = None,
    crop: Annotated[
        int | None, typer.Option(help="Centre crop before resizing; 0 for the whole image.")
    ] = 256,
    seed: Seed = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; found out if not said.")] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Train on the train side of a split and predict its real validation and test images.

    Example: naturalize train out/split --composites out/composites -o out/run
    """
    from naturalize.artefact import open_artefact
    from naturalize.train.run import train_run

    mixed = open_artefact(composites, "composites") if composites is not None else None
    made = train_run(
        open_artefact(split, "split"),
        out,
        composites=mixed,
        pack=open_artefact(pack, "pack") if pack is not None else None,
        arm=arm or ("naturalize" if mixed is not None else "flips"),
        model=model,
        mode=mode,
        weights=weights,
        budget_images=budget,
        batch_size=batch,
        learning_rate=learning_rate,
        input_px=px,
        crop_px=crop or None,
        seed=seed,
        device=device,
        if_exists=if_exists(resume, overwrite),
        track=bar,
    )
    table = Table(title="run", title_justify="left", show_header=False)
    for key in ("arm", "model", "mode", "weights", "images_seen", "device", "images_per_second"):
        table.add_row(key.replace("_", " "), str(made.summary[key]))
    tell(made, as_json, table)
