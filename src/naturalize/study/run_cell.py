"""One cell: a training, of which the predictions are kept."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from time import monotonic

from naturalize.artefact import Artefact, Draft, Request, build
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.predictions import Predictions
from naturalize.study.cell import Cell
from naturalize.study.prepare import ON, Home
from naturalize.train.pixels import load_pixels
from naturalize.train.predict import predict
from naturalize.train.run import train_run
from naturalize.train.trained_model import load_model

KEPT = ("val.npz", "test.npz", "metrics.csv")
SECOND_SOURCE = "second-source.npz"


def run_cell(home: Home, cell: Cell) -> Artefact:
    """Write a ``cell`` artefact: ``val.npz``, ``test.npz`` and ``metrics.csv`` of one training.

    A finished cell is returned as it is and an interrupted one goes on. The weights are gone once
    its predictions are kept. Where the study keeps a second acquisition source apart, the cell also
    holds ``second-source.npz``, its answers for all those images.
    """
    training = home.spec.training

    def write(draft: Draft) -> None:
        begun = monotonic()
        split = home.split_of(cell.ground)
        composed = cell.treatment.composed
        composites = home.composites_of(cell.ground, composed) if composed is not None else None
        prepared = monotonic()
        run = train_run(
            split,
            home.folder / "trainings" / cell.name,
            composites=composites,
            arm=cell.treatment.train,
            model=training.model,
            budget_images=training.budget,
            batch_size=training.batch,
            learning_rate=training.learning_rate,
            ema=training.ema,
            precision=training.precision,
            validations=1,
            input_px=training.px,
            crop_px=training.crop,
            seed=cell.seed,
            if_exists=ON,
            track=home.track,
        )
        for file in KEPT:
            draft.write(file, (run.path / file).read_bytes())
        if home.strange:
            strange = [s for s in home.images if s.id in home.strange]
            draft.write(SECOND_SOURCE, _answers(run, home, strange).to_bytes())
        said = ("real_seen", "synthetic_seen", "images_seen", "train_images", "composites")
        draft.summary.update({key: run.summary[key] for key in said})
        draft.summary.update(
            seconds=round(monotonic() - begun, 1),
            preparing_seconds=round(prepared - begun, 1),
            images_per_second=run.summary["images_per_second"],
            device=run.summary["device"],
        )
        shutil.rmtree(run.path)

    return build(home.folder / "cells" / cell.name, cell_request(home, cell), write, if_exists=ON)


def cell_request(home: Home, cell: Cell) -> Request:
    """Return what decides a cell: nothing of the study's other arms, so a study may grow."""
    composed = cell.treatment.composed
    recipe = composed.resolved().model_dump(mode="json") if composed is not None else None
    parameters = {
        "train": cell.treatment.train,
        "composed": composed.model_dump(mode="json") if composed is not None else None,
        "recipe": recipe,
        "ground": cell.ground.name,
        "folds": home.spec.folds,
        "without_second_source": home.spec.without_second_source,
        "training": home.spec.training.model_dump(mode="json"),
    }
    return Request("cell", parameters, {"split": home.split}, cell.seed)


def _answers(run: Artefact, home: Home, samples: Sequence[Sample]) -> Predictions:
    """Predict images that a run neither learned from nor was tested on."""
    model, info = load_model(run)
    readers = [lambda sample=sample: read_sample(home.whole.root, sample) for sample in samples]
    pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
    found = predict(model, pixels, mean=info.mean, std=info.std)
    ids = tuple(sample.id for sample in samples)
    return Predictions(ids, found, info.classes, run.id, home.split.id)
