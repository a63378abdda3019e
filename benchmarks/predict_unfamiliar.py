"""Would a cell of a class that nobody taught be noticed? Small runs that never saw one say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Artefact, open_artefact
from naturalize.calibrate.halves import two_halves
from naturalize.calibrate.make_reader import LEARNED, UNFAMILIAR, few_of_each
from naturalize.calibrate.reader_onnx import Precision
from naturalize.classify.familiarity import DIRECTIONS, Familiarity, fit_familiarity
from naturalize.classify.network import Answer
from naturalize.classify.odds import odds
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.split.split import RealSplit
from naturalize.train.pixels import fit_square
from naturalize.train.trained_model import ModelInfo, load_info
from predict_cells import mean_interval
from predict_precision import made_network

HOW = (
    "Small runs that never saw one class (`benchmarks/left_out.py`: at most 200 train images a "
    "class, 3,008 images shown at 128 px): the share of its cells that is flagged as unfamiliar, "
    "where 2% of validation cells of known classes are. A longer training may do better or worse. "
    "Scores were compared on validation images: the distance to the nearest class mean "
    "(Mahalanobis; Lee et al. 2018), the cosine distance to the fifth nearest train image (Sun et "
    "al. 2022) by the network in 32 and in 8 bits, and *as shipped*: the same in 32 bits of "
    f"{LEARNED} train images a class along {DIRECTIONS} directions, as the reader keeps them."
)
LEAST_VARIANCE, MEANS_DIRECTIONS = 1e-3, 64
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")
KNOWN = "known classes, test"
Floats = NDArray[np.float32]
Flag = tuple[bool, str]
"""Whether an image is flagged, and its group."""


def measure_unfamiliar(whole: RealSplit, folder: Path, kept: Path) -> dict[str, Any]:
    """Return how often each score flags the class left out, on its validation and test images.

    Limits are set so that 2% of the first half of the validation images of known classes are
    flagged. A score is to be picked by the validation images; the test images then judge it.
    """
    runs = sorted(folder.glob("run-*"))
    if not runs:
        raise SystemExit(f"{folder} holds no finished run of left_out.py")
    found: defaultdict[str, defaultdict[str, list[Flag]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for score, side, flag in _flags(whole, open_artefact(run, "run"), kept):
            found[score][side].append(flag)
    flagged = {
        score: {side: _share(sides[side]) for side in sorted(sides, key=KNOWN.__eq__)}
        for score, sides in found.items()
    }
    return {"how": HOW, "flagged": flagged}


def _share(flags: Sequence[Flag]) -> str:
    flagged, groups = zip(*flags, strict=True)
    return mean_interval(np.array(flagged), np.unique(groups, return_inverse=True)[1])


def _flags(whole: RealSplit, run: Artefact, kept: Path) -> Iterator[tuple[str, str, Flag]]:
    """Yield of each score, side and image whether it is flagged."""
    label = run.path.name.removeprefix("run-")
    split = RealSplit.load(run.input("split"))
    sides = {
        "train": split.train,
        "limits": two_halves(split.val, seed=0)[0],
        f"{label}, validation": [sample for sample in whole.val if sample.label == label],
        f"{label}, test": [sample for sample in whole.test if sample.label == label],
        KNOWN: split.test,
    }
    samples = [sample for side in sides.values() for sample in side]
    lies = np.repeat(list(sides), [len(side) for side in sides.values()])
    answers = _answers(whole.root, run, samples, len(split.train), kept / label)
    for score, far in _scores(answers, split.train).items():
        flagged = far > np.quantile(far[lies == "limits"], 1 - UNFAMILIAR)
        for n in np.flatnonzero(~np.isin(lies, ("train", "limits"))):
            yield score, str(lies[n]), (bool(flagged[n]), samples[n].group)


def _scores(
    answers: dict[Precision, Answer], learned: Sequence[Sample]
) -> dict[str, NDArray[np.float64]]:
    """Return each score of all images; the train images, ``learned``, are the first of them."""
    place = {sample.id: n for n, sample in enumerate(learned)}
    few = [place[sample.id] for sample in few_of_each(learned, LEARNED, 0)]
    exact, small = answers["fp32"].features, answers["int8"].features
    return {
        "class means": _from_means(exact, [sample.label for sample in learned]),
        "fifth neighbour": _from_all(exact, len(learned)),
        "fifth neighbour, 8 bits": _from_all(small, len(learned)),
        "fifth neighbour, as shipped": fit_familiarity(exact[few]).distances(exact),
        "1 - probability": 1 - odds(answers["fp32"].logits, 1.0).max(axis=1),
    }


def _from_all(features: Floats, learned: int) -> NDArray[np.float64]:
    """Return the cosine distance to the fifth nearest of all ``learned`` first rows."""
    known = features[:learned] / np.linalg.norm(features[:learned], axis=1, keepdims=True)
    return Familiarity(np.eye(features.shape[1], dtype=np.float32), known).distances(features)


def _from_means(features: Floats, labels: Sequence[str]) -> NDArray[np.float64]:
    """Return the distance to the nearest class mean; the first rows have the classes ``labels``.

    In the spread that cells of one class have along the directions that vary most.
    """
    learned, place = features[: len(labels)], np.unique(labels, return_inverse=True)[1]
    axes = np.linalg.svd(learned - learned.mean(axis=0), full_matrices=False)[2]
    seen = features @ axes[:MEANS_DIRECTIONS].T
    known = seen[: len(labels)]
    means = np.stack([known[place == n].mean(axis=0) for n in range(place.max() + 1)])
    within = known - means[place]
    variance, turn = np.linalg.eigh(within.T @ within / len(within))
    turn = turn / np.sqrt(np.maximum(variance, LEAST_VARIANCE * variance.max()))
    return np.asarray(np.linalg.norm((seen[:, None] - means) @ turn, axis=2).min(axis=1))


def _answers(
    root: Path, run: Artefact, samples: Sequence[Sample], learned: int, kept: Path
) -> dict[Precision, Answer]:
    """Ask ``run`` about ``samples``, the first of which it learned from; what it said is kept."""
    file = kept / f"{run.id}.npz"
    if not file.exists():
        views = _views(root, samples, load_info(run))
        told: dict[str, Floats] = {}
        for precision in PRECISIONS:
            network = made_network(run, views[:learned], kept, precision=precision)
            told |= {f"{precision}-{k}": v for k, v in vars(network.answer(views)).items()}
        np.savez(file, allow_pickle=False, **told)
    with np.load(file) as arrays:
        return {
            precision: Answer(arrays[f"{precision}-logits"], arrays[f"{precision}-features"])
            for precision in PRECISIONS
        }


def _views(root: Path, samples: Sequence[Sample], info: ModelInfo) -> NDArray[np.uint8]:
    size = {"input_px": info.input_px, "crop_px": info.crop_px}
    return np.stack([fit_square(read_sample(root, sample), **size) for sample in samples])
