"""Arms that are the best of several, as validation images have it; no test image is looked at."""

from __future__ import annotations

import numpy as np

from naturalize.artefact import open_artefact
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.scores import scores
from naturalize.predictions import Predictions
from naturalize.split.split import RealSplit
from naturalize.study.cell import Cell, candidates, cells_of, sizes
from naturalize.study.prepare import Home

Choices = dict[tuple[str, int | None], str]
"""The settings chosen for an arm at a size."""


def choices(home: Home) -> Choices:
    """Return what can be chosen so far: where all candidates of an arm are there at a size.

    The one with the highest macro F1 on validation images wins, the mean over the arm's
    ``choice_seeds``; the first of equals.
    """
    chosen: Choices = {}
    for name, arm in home.spec.arms.items():
        for size in sizes(home.spec) if arm.best_of else ():
            found: dict[str, float] = {}
            for treatment in candidates(arm):
                cells = [
                    cell
                    for seed in arm.choice_seeds
                    for cell in cells_of(home.spec, treatment, size, seed)
                ]
                if all(is_done(home, cell) for cell in cells):
                    values = [_validated(home, cell) for cell in cells]
                    found[treatment.train] = float(np.mean(values))
            if len(found) == len(arm.best_of):
                chosen[name, size] = max(found, key=found.__getitem__)
    return chosen


def is_done(home: Home, cell: Cell) -> bool:
    """Whether a cell's predictions are there."""
    return (home.folder / "cells" / cell.name / "manifest.json").is_file()


def _validated(home: Home, cell: Cell) -> float:
    """Return macro F1 on the validation images of a cell."""
    found = Predictions.load(
        open_artefact(home.folder / "cells" / cell.name, "cell").path / "val.npz"
    )
    truth = {sample.id: sample.label for sample in RealSplit.load(home.split_of(cell.ground)).val}
    labels = [truth[name] for name in found.sample_ids]
    return scores(confusion_matrix(labels, found.labels(), found.classes), found.classes).macro_f1
