"""Would a cell of a class that nobody taught be noticed? Small runs that never saw one say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import open_artefact
from naturalize.calibrate.halves import two_halves
from naturalize.calibrate.make_reader import UNFAMILIAR
from naturalize.classify.familiarity import fit_familiarity
from naturalize.classify.odds import odds
from naturalize.datasets.sample import Sample
from naturalize.split.split import RealSplit
from naturalize.train.features import FrozenBase
from naturalize.train.pixels import load_pixels, sample_readers
from naturalize.train.trained_model import load_model
from naturalize.train.weights import classifier

NEIGHBOURS = 5
Features = NDArray[np.float32]


def measure_unfamiliar(whole: RealSplit, folder: Path, kept: Path) -> dict[str, Any]:
    """Return how often each score flags the class left out, on its validation and test images.

    Limits are set so that 2% of the first half of the validation images of known classes are
    flagged. A score is to be picked by the validation images; the test images then judge it.
    """
    flagged: dict[str, dict[str, float]] = {}
    known: dict[str, list[float]] = {}
    left_out = []
    runs = sorted(folder.glob("run-*"))
    if not runs:
        raise SystemExit(f"{folder} holds no finished run of left_out.py")
    for run in runs:
        label = run.name.removeprefix("run-")
        left_out.append(label)
        for score, shares in _judged(whole, run, label, kept).items():
            told = flagged.setdefault(score, {})
            told[f"{label}, validation"], told[f"{label}, test"] = shares[:2]
            known.setdefault(score, []).append(shares[2])
    for score, shares_known in known.items():
        flagged[score]["known classes, test"] = round(float(np.mean(shares_known)), 3)
    how = (
        "Small runs that never saw one class (`benchmarks/left_out.py`: at most 200 train images a "
        "class, 3,008 images shown at 128 px): the share of its cells that is flagged as "
        "unfamiliar, where 2% of validation cells of known classes are. A longer training may do "
        "better or worse."
    )
    columns = [f"{label}, {side}" for label in left_out for side in ("validation", "test")]
    return {"how": how, "left_out": columns, "flagged": flagged}


def _judged(whole: RealSplit, run: Path, label: str, kept: Path) -> dict[str, tuple[float, ...]]:
    artefact = open_artefact(run, "run")
    model, info = load_model(artefact)
    split = RealSplit.load(artefact.input("split"))
    base = FrozenBase(model, info.mean, info.std, kept)

    def seen(samples: Sequence[Sample]) -> Features:
        readers = sample_readers(whole.root, samples)
        pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
        return base.features(lambda part: pixels[part], len(samples)).numpy()

    first, _ = two_halves(split.val, seed=0)
    strangers = [[s for s in side if s.label == label] for side in (whole.val, whole.test)]
    learned, limit, *judged = (
        seen(samples) for samples in (split.train, first, *strangers, split.test)
    )
    places = np.array([info.classes.index(sample.label) for sample in split.train])
    head = classifier(model)
    weight, bias = (tensor.detach().numpy() for tensor in (head.weight, head.bias))
    scores: dict[str, Callable[[Features], NDArray[Any]]] = {
        "distance to class means": fit_familiarity(learned, places).distances,
        "distance to the fifth neighbour": lambda one: _neighbour(one, learned),
        "1 - probability": lambda one: 1 - odds(one @ weight.T + bias, 1.0).max(axis=1),
    }
    found = {}
    for name, score in scores.items():
        most = np.quantile(score(limit), 1 - UNFAMILIAR)
        found[name] = tuple(round(float((score(one) > most).mean()), 3) for one in judged)
    return found


def _neighbour(features: Features, learned: Features) -> NDArray[np.float64]:
    """Return the cosine distance to the fifth nearest train image (Sun et al. 2022)."""
    one, other = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (features, learned)
    )
    return np.asarray(1 - np.sort(one @ other.T, axis=1)[:, -NEIGHBOURS])
