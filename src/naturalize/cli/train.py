"""``naturalize train``: a model from the train side, its predictions on the other two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from naturalize.artefact import Artefact
from naturalize.cli.compose import warn_if_told
from naturalize.cli.live_table import LiveTable
from naturalize.cli.options import AsJson, Out, Overwrite, Resume, Seed, Workers, if_exists, tell
from naturalize.errors import InputError

if TYPE_CHECKING:
    from naturalize.compose.online import OnlineComposites


def train(
    split: Annotated[Path, typer.Argument(help="Folder written by split.")],
    out: Out,
    arm: Annotated[
        str | None,
        typer.Option(
            help="Settings joined by +: none, flips (and quarter turns), crops, light, stain (and "
            "light), randaugment, strong (flips, crops, stain, randaugment), growing (images small "
            "at first), mixup, cutmix, balanced (each class equally often), class-weights, "
            "hard-labels (no smoothing), maturation (smoothing between neighbours on "
            "PMY-MY-MMY-BNE-SNE), naturalize (flips, half of the images composites).",
            show_default="naturalize where composites are given, else flips",
        ),
    ] = None,
    composites: Annotated[
        Path | None, typer.Option(help="Folder written by compose, for the naturalize arm.")
    ] = None,
    bank: Annotated[
        Path | None,
        typer.Option(help="Folder written by cut, to compose from while training, not before."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="With --bank: a shipped recipe or a file.", show_default="naturalize"),
    ] = None,
    workers: Workers = 2,
    pack: Annotated[
        Path | None, typer.Option(help="Folder written by pack; images are read from it.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="efficientnet-lite0, efficientnetv2-b0, densenet-121, densenet-169, densenet-201, "
            "convnext-base, vgg-19, vit-b16, custom-cnn; timm:NAME for any other of timm; cbam for "
            "a head over two of them (efficientnetv2-b0 and densenet-169, or two runs)."
        ),
    ] = "efficientnet-lite0",
    mode: Annotated[
        Literal["finetune", "transfer"], typer.Option(help="All layers, or a new head only.")
    ] = "finetune",
    weights: Annotated[
        str | None,
        typer.Option(
            help="package, hub, random, or a safetensors or state-dict file; by default the first "
            "that the model has."
        ),
    ] = None,
    branches: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--from", help="With --model cbam: two runs of this split to stand on."),
    ] = None,
    merge: Annotated[
        Literal["concat", "average"], typer.Option(help="With cbam: how two maps become one.")
    ] = "concat",
    spatial: Annotated[
        Literal["cbam", "paper"],
        typer.Option(help="With cbam: attention by a 7 x 7 convolution, or as the paper prints."),
    ] = "cbam",
    budget: Annotated[int, typer.Option(help="Images seen during training.")] = 40_000,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak; by default the mode's.")
    ] = None,
    layer_decay: Annotated[
        float, typer.Option(help="Below 1, each layer learns so much slower than the one above.")
    ] = 1.0,
    frozen: Annotated[
        int, typer.Option(help="Lowest stages that stay as they came; the stem is the first.")
    ] = 0,
    ema: Annotated[
        float, typer.Option(help="Decay of a running mean of the weights, say .998; 0 for none.")
    ] = 0.0,
    keep: Annotated[
        Literal["last", "best"],
        typer.Option(help="Weights that count: the last (their running mean), or validated best."),
    ] = "last",
    validations: Annotated[int, typer.Option(help="How often to validate on real images.")] = 5,
    features: Annotated[
        Path | None,
        typer.Option(help="With --mode transfer: where what the base sees is kept and found."),
    ] = None,
    px: Annotated[int | None, typer.Option(help="Input size; by default the model's.")] = None,
    crop: Annotated[
        int | None, typer.Option(help="Centre crop before resizing; 0 for the whole image.")
    ] = 256,
    views: Annotated[
        int, typer.Option(help="Orientations averaged in final answers: 1, 4 (flips) or 8.")
    ] = 1,
    seed: Seed = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; found out if not said.")] = None,
    precision: Annotated[
        Literal["fp32", "bf16", "auto"] | None,
        typer.Option(
            help="By default fp32 on a CPU, bf16 on a GPU; auto: bf16 on a CPU too, if it has it."
        ),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Train on the train side of a split and predict its real validation and test images.

    Example: naturalize train out/split --composites out/composites -o out/run

    Two runs under one head: naturalize train out/split --model cbam --from out/run-a out/run-b
    --mode transfer -o out/run

    Combined: naturalize train out/split --arm flips+crops+stain+balanced -o out/run

    A new head alone, the next one in seconds: naturalize train out/split --mode transfer
    --model densenet-169 --features out/features -o out/run

    On two GPUs: torchrun --nproc_per_node 2 -m naturalize train out/split -o out/run

    No folder: naturalize train out/split --bank out/bank --recipe naturalize -o out/run
    """
    from naturalize.artefact import open_artefact
    from naturalize.train.run import train_run
    from naturalize.train.training import Training

    mixed = _composites(composites, bank, recipe, seed)
    training = Training(
        model=model,
        weights=weights,
        input_px=px,
        crop_px=crop or None,
        views=views,
        branches=tuple(open_artefact(run, "run") for run in branches or ()),
        merge=merge,
        spatial=spatial,
        arm=arm or ("naturalize" if mixed is not None else "flips"),
        budget_images=budget,
        batch_size=batch,
        mode=mode,
        learning_rate=learning_rate,
        layer_decay=layer_decay,
        frozen=frozen,
        ema=ema,
        keep=keep,
        validations=validations,
        precision=precision,
        seed=seed,
    )
    shown = LiveTable(batch)
    made = train_run(
        open_artefact(split, "split"),
        out,
        training,
        composites=mixed,
        pack=open_artefact(pack, "pack") if pack is not None else None,
        device=device,
        workers=workers,
        features=features,
        if_exists=if_exists(resume, overwrite),
        watch=shown.watch,
        track=shown.track,
    )
    if os.environ.get("RANK", "0") == "0":
        _tell(made, mixed, as_json)


def _tell(made: Artefact, mixed: Artefact | OnlineComposites | None, as_json: bool) -> None:
    """Say what was made, and of composites made online whether they can be told."""
    from naturalize.compose.online import OnlineComposites

    if isinstance(mixed, OnlineComposites):
        warn_if_told(mixed.recipe)
    tell(made, as_json, _table(made))


def _table(made: Artefact) -> Table:
    """Return what was trained, and how fast."""
    table = Table(title="run", title_justify="left", show_header=False)
    for key in ("arm", "model", "mode", "weights", "images_seen", "device", "images_per_second"):
        table.add_row(key.replace("_", " "), str(made.summary[key]))
    return table


def _composites(
    folder: Path | None, bank: Path | None, recipe: str | None, seed: int
) -> Artefact | OnlineComposites | None:
    """Open composites made before, or what makes them while training."""
    from naturalize.artefact import open_artefact
    from naturalize.compose.online import OnlineComposites
    from naturalize.compose.recipe import load_recipe

    if bank is None:
        if recipe is not None:
            raise InputError("--recipe", "a --bank beside it to compose from", "none")
        return open_artefact(folder, "composites") if folder is not None else None
    if folder is not None:
        raise InputError("--bank, --composites", "one of the two", "both")
    return OnlineComposites(open_artefact(bank, "bank"), load_recipe(recipe or "naturalize"), seed)
