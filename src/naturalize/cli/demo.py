"""``naturalize demo``: the whole pipeline, small, to one page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from naturalize.artefact import Artefact, IfExists
from naturalize.cli.options import Overwrite, Seed, Workers, if_exists
from naturalize.errors import InputError
from naturalize.progress import bar

ARMS = ("none", "flips", "naturalize")


@dataclass(frozen=True)
class Plan:
    """What a demo run is asked to do; budgets in images seen, sizes in px."""

    out: Path
    data: Path | None
    cap: int
    budget: int
    composites: int
    px: int
    seed: int
    workers: int
    model: str
    recipe: str


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for all steps; a rerun goes on in it.")
    ] = Path("out/demo"),
    data: Annotated[
        Path | None, typer.Option(help="Folder or zip with real images; phantoms if not said.")
    ] = None,
    cap: Annotated[int, typer.Option(help="At most so many images of a class.")] = 150,
    budget: Annotated[int, typer.Option(help="Images each arm sees in training.")] = 0,
    composites: Annotated[int, typer.Option(help="Composites; 0: one a training image.")] = 0,
    px: Annotated[int, typer.Option(help="Input size of the model.")] = 128,
    seed: Seed = 0,
    workers: Workers = 2,
    model: Annotated[str, typer.Option(help="Backbone.")] = "efficientnet-lite0",
    recipe: Annotated[str, typer.Option(help="naturalize, paper, or a YAML file.")] = "naturalize",
    overwrite: Overwrite = False,
) -> None:
    """Run everything: import, curate, split, cut, compose, train three arms, evaluate, report.

    The report's path is the last line printed. Interrupted, the same command goes on.

    Example: naturalize demo --data PBC_dataset_normal_DIB --cap 150
    """
    seen = budget or (12_000 if data else 3_200)
    plan = Plan(out, data, cap, seen, composites, px, seed, workers, model, recipe)
    report = run_demo(plan, if_exists(not overwrite, overwrite))
    typer.echo(str(report))


def run_demo(plan: Plan, mode: IfExists) -> Path:
    """Run all stages below ``plan.out`` and return the path of the page."""
    from naturalize.report.make_report import PAGE, make_report
    from naturalize.train.run import train_run
    from naturalize.train.training import Training

    _check(plan)
    split = _prepare(plan, mode)
    composites = _compose(plan, split, mode)
    asked = Training(model=plan.model, budget_images=plan.budget, input_px=plan.px, seed=plan.seed)
    runs = []
    for arm in ARMS:
        _say(f"train, arm “{arm}”")
        runs.append(
            train_run(
                split,
                plan.out / f"run-{arm}",
                replace(asked, arm=arm),
                composites=composites if arm == "naturalize" else None,
                if_exists=mode,
                track=bar,
            )
        )
    _say("evaluate on untouched images and write the page")
    report = make_report(runs, plan.out / "report", seed=plan.seed, if_exists=mode)
    return report.path / PAGE


def _check(plan: Plan) -> None:
    """Refuse at once what a later stage would refuse."""
    from naturalize.compose.recipe import load_recipe
    from naturalize.train.backbones import find_backbone

    load_recipe(plan.recipe)
    find_backbone(plan.model)
    least = {
        "--cap": (plan.cap, 3),
        "--budget": (plan.budget, 1),
        "--composites": (plan.composites, 0),
    }
    for option, (value, minimum) in least.items():
        if value < minimum:
            raise InputError(option, f"at least {minimum}", value)
    begun = {plan.out / name for name in ("dataset", ".dataset.partial")}
    if plan.out.is_dir() and any(plan.out.iterdir()) and not any(p.is_dir() for p in begun):
        raise InputError(
            f"output {plan.out}",
            "a new folder or one of an earlier demo",
            "a folder of other files",
        )


def _prepare(plan: Plan, mode: IfExists) -> Artefact:
    """Import or draw images, curate and split them."""
    from naturalize.curate.clean import curate
    from naturalize.datasets.import_dataset import import_dataset
    from naturalize.datasets.phantom import write_phantom
    from naturalize.split.make_split import make_split

    target = plan.out / "dataset"
    if plan.data is None:
        _say("draw phantoms")
        dataset = write_phantom(target, seed=plan.seed, if_exists=mode, track=bar)
    else:
        _say(f"import {plan.data}")
        dataset = import_dataset(plan.data, target, if_exists=mode, track=bar)
    _say("curate")
    curated = curate(dataset, plan.out / "curated", workers=plan.workers, if_exists=mode, track=bar)
    _say("split before anything is cut")
    return make_split(curated, plan.out / "split", seed=plan.seed, cap=plan.cap, if_exists=mode)


def _compose(plan: Plan, split: Artefact, mode: IfExists) -> Artefact:
    """Cut the train images and compose new ones."""
    from naturalize.compose.make_composites import make_composites
    from naturalize.compose.recipe import load_recipe
    from naturalize.cutouts.make_bank import make_bank

    _say("cut cells out of the training images")
    bank = make_bank(split, plan.out / "bank", workers=plan.workers, if_exists=mode, track=bar)
    _say("compose new images")
    return make_composites(
        bank,
        plan.out / "composites",
        recipe=load_recipe(plan.recipe),
        count=plan.composites or int(bank.summary["images"]),
        seed=plan.seed,
        workers=plan.workers,
        if_exists=mode,
        track=bar,
    )


def _say(what: str) -> None:
    typer.echo(f"· {what}", err=True)
