"""One cell: a training, of which the predictions are kept."""

from __future__ import annotations

import shutil
from dataclasses import replace
from time import monotonic

from naturalize.artefact import Artefact, Draft, Request, build
from naturalize.study.cell import Cell
from naturalize.study.prepare import ON, Home
from naturalize.study.tested import answers, beside
from naturalize.study.training import TrainingSpec
from naturalize.train.run import train_run
from naturalize.train.training import Training

KEPT = ("val.npz", "test.npz", "metrics.csv")


def run_cell(home: Home, cell: Cell) -> Artefact:
    """Write a ``cell`` artefact: ``val.npz``, ``test.npz`` and ``metrics.csv`` of one training.

    A finished cell is returned as it is and an interrupted one goes on. The weights are gone once
    its predictions are kept, those for other images among them
    (:func:`~naturalize.study.tested.beside`).
    """

    def write(draft: Draft) -> None:
        begun = monotonic()
        split = home.split_of(cell.ground)
        composed = cell.treatment.composed
        composites = home.composites_of(cell.ground, composed) if composed is not None else None
        prepared = monotonic()
        run = train_run(
            split,
            home.folder / "trainings" / cell.name,
            _training(home, cell),
            composites=composites,
            if_exists=ON,
            track=home.track,
        )
        for file in KEPT:
            draft.write(file, (run.path / file).read_bytes())
        for tested in beside(home):
            draft.write(tested.file, answers(home, run, tested).to_bytes())
        said = ("real_seen", "synthetic_seen", "images_seen", "train_images", "composites")
        draft.summary.update({key: run.summary[key] for key in said})
        draft.summary.update(
            seconds=round(monotonic() - begun, 1),
            preparing_seconds=round(prepared - begun, 1),
            images_per_second=run.summary["images_per_second"],
            device=run.summary["device"],
            precision=run.summary["precision"],
        )
        shutil.rmtree(run.path)

    return build(home.folder / "cells" / cell.name, cell_request(home, cell), write, if_exists=ON)


def _training(home: Home, cell: Cell) -> Training:
    """Return the training of a cell: that of the study, with the arm and the seed of the cell."""
    composed, shared = cell.treatment.composed, training_of(home.spec.training)
    share = composed.share if composed is not None else None
    return replace(shared, arm=cell.treatment.train, share=share, seed=cell.seed)


def training_of(spec: TrainingSpec) -> Training:
    """Return the training that the words of a spec ask for; it is validated once, at its end."""
    return Training(
        model=spec.model,
        input_px=spec.px,
        crop_px=spec.crop,
        budget_images=spec.budget,
        batch_size=spec.batch,
        learning_rate=spec.learning_rate,
        frozen=spec.frozen,
        ema=spec.ema,
        precision=spec.precision,
        validations=1,
    )


def cell_request(home: Home, cell: Cell) -> Request:
    """Return what decides a cell: nothing of the study's other arms, so a study may grow."""
    composed = cell.treatment.composed
    recipe = composed.resolved().model_dump(mode="json") if composed is not None else None
    # Of keys that came later those not given are left out, so that earlier cells stay valid.
    shown = composed.model_dump(mode="json", exclude_none=True) if composed is not None else None
    parameters = {
        "train": cell.treatment.train,
        "composed": shown,
        "recipe": recipe,
        "ground": cell.ground.name,
        "folds": home.spec.folds,
        "without_second_source": home.spec.without_second_source,
        "training": home.spec.training.model_dump(mode="json"),
    }
    if home.spec.swapped_surroundings:
        parameters["swapped_surroundings"] = True
    inputs = {"split": home.split} | ({"other": home.other} if home.other is not None else {})
    return Request("cell", parameters, inputs, cell.seed)
