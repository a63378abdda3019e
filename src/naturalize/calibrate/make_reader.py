"""Make a reader of a finished run: its network made small, its answers made honest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.calibrate.halves import two_halves
from naturalize.calibrate.looked import Looker
from naturalize.calibrate.measured_scale import measured_scale
from naturalize.calibrate.reader_onnx import Precision, reader_onnx
from naturalize.calibrate.temperature import fit_temperature
from naturalize.classify.conformal import fit_thresholds
from naturalize.classify.familiarity import FAMILIARITY, Familiarity, fit_familiarity
from naturalize.classify.network import NETWORK, Answer, Network, Views
from naturalize.classify.odds import margins, odds
from naturalize.classify.reader_info import INFO, Limits, ReaderInfo, Scale
from naturalize.curate.focus import MIN_Z, sharpness
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from naturalize.train.export_model import FORMS, export_model
from naturalize.train.trained_model import ModelInfo, load_info

CARD = "README.md"
COVERAGE = 0.95
MEASURED, LEARNED = 40, 150
"""Train images a class whose sizes are measured, and whose features are kept to compare with."""
LOW_MARGIN, UNFAMILIAR = 0.05, 0.02
"""Shares of validation cells that are sent to a person for a low margin, or as unfamiliar."""
_LEAST_SPREAD = 0.1
_NORMAL = 1.4826


@dataclass(frozen=True, eq=False)
class Judged:
    """Validation images that the network was asked about: its answers, and the true classes."""

    views: Views
    answer: Answer
    truth: NDArray[np.intp]


def make_reader(
    run: Artefact,
    out: Path,
    *,
    about: dict[str, str],
    card: str,
    precision: Precision = "fp32",
    coverage: float = COVERAGE,
    seed: int = 0,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``reader`` artefact: network, :class:`ReaderInfo`, what is familiar, ``card``.

    The validation images of the run's split are dealt into two halves by group: one for the
    temperature, the confusion matrix and the limits of review, the other for the conformal sets
    and nothing else. Test images are not touched.
    """
    split = RealSplit.load(run.input("split"))
    model = load_info(run)
    halves = two_halves(split.val, seed=seed)
    if not all(halves):
        raise InputError("validation images", "two independent groups at least", len(split.val))

    def write(draft: Draft) -> None:
        looker = Looker(split.root, draft, workers, track)
        measured = looker.sizes(few_of_each(split.train, MEASURED, seed))
        scale = measured_scale(measured, model.crop_px)
        learned = few_of_each(split.train, LEARNED, seed)
        seen = looker.centred_views("train", learned, scale, model.input_px)
        network = _network(run, draft, seen, precision)
        familiar = _familiar(draft, network, seen)
        judged = [
            _judged(looker, f"half-{n}", half, scale, model, network)
            for n, half in enumerate(halves)
        ]
        info = _info(model, scale, judged, familiar, coverage, about)
        draft.write(INFO, info.model_dump_json(indent=1) + "\n")
        draft.write(CARD, card)
        draft.summary.update(_summary(draft, info, judged))

    parameters = {"precision": precision, "coverage": coverage, "about": about}
    request = Request("reader", parameters, {"run": run}, seed)
    return build(out, request, write, if_exists=if_exists)


def _network(run: Artefact, draft: Draft, seen: Views, precision: Precision) -> Network:
    """Return the network of ``run`` as a reader runs it; one that lies there is not made again."""
    if not draft.has(NETWORK):
        exported = draft.keep("exported.onnx", partial(_exported, run, draft))
        draft.write(NETWORK, reader_onnx(exported, seen, precision=precision))
    return Network(draft.path / NETWORK)


def _exported(run: Artefact, draft: Draft) -> bytes:
    out = draft.scratch("exported")
    made = export_model(run, out, form="onnx", card="", if_exists="overwrite")
    return (made.path / FORMS["onnx"]).read_bytes()


def _familiar(draft: Draft, network: Network, seen: Views) -> Familiarity:
    if not draft.has(FAMILIARITY):
        draft.write(FAMILIARITY, fit_familiarity(network.answer(seen).features).to_bytes())
    return Familiarity.load(draft.path / FAMILIARITY)


def few_of_each(samples: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    """Return at most ``most`` samples of each class, drawn by ``seed``."""
    order = child(seed, "reader", most).permutation(len(samples))
    kept: defaultdict[str, list[Sample]] = defaultdict(list)
    for place in order:
        if len(kept[samples[place].label]) < most:
            kept[samples[place].label].append(samples[place])
    return [sample for label in sorted(kept) for sample in kept[label]]


def _truth(samples: Sequence[Sample], classes: Sequence[str]) -> NDArray[np.intp]:
    return np.array([classes.index(sample.label) for sample in samples], np.intp)


def _judged(
    looker: Looker,
    name: str,
    samples: Sequence[Sample],
    scale: Scale,
    model: ModelInfo,
    network: Network,
) -> Judged:
    views = looker.views(name, samples, scale, model.input_px)
    return Judged(views, network.answer(views), _truth(samples, model.classes))


def _info(
    model: ModelInfo,
    scale: Scale,
    judged: Sequence[Judged],
    familiar: Familiarity,
    coverage: float,
    about: dict[str, str],
) -> ReaderInfo:
    first, second = judged
    temperature = fit_temperature(first.answer.logits, first.truth)
    shares = odds(first.answer.logits, temperature)
    sets = fit_thresholds(odds(second.answer.logits, temperature), second.truth, coverage=coverage)
    size = len(model.classes)
    cells = np.bincount(size * first.truth + shares.argmax(axis=1), minlength=size**2)
    return ReaderInfo(
        classes=tuple(model.classes),
        input_px=model.input_px,
        scale=scale,
        temperature=temperature,
        coverage=coverage,
        thresholds=sets.values,
        class_wise=sets.class_wise,
        limits=_limits(first, margins(shares), familiar),
        confusion=tuple(tuple(row) for row in cells.reshape(size, size).tolist()),
        about=about,
    )


def _limits(first: Judged, above: NDArray[np.float64], familiar: Familiarity) -> Limits:
    """Set the limits of review by the first half of the validation images."""
    far = familiar.distances(first.answer.features)
    sharp = np.array([sharpness(view) for view in first.views])
    usual = float(np.median(sharp))
    spread = max(_NORMAL * float(np.median(np.abs(sharp - usual))), _LEAST_SPREAD)
    return Limits(
        least_margin=float(np.quantile(above, LOW_MARGIN)),
        most_unfamiliar=float(np.quantile(far, 1 - UNFAMILIAR)),
        least_sharpness=usual + MIN_Z * spread,
    )


def _summary(draft: Draft, info: ReaderInfo, judged: Sequence[Judged]) -> dict[str, object]:
    size = sum((draft.path / name).stat().st_size for name in (NETWORK, FAMILIARITY, INFO))
    right = [float((one.answer.logits.argmax(axis=1) == one.truth).mean()) for one in judged]
    return {
        "classes": list(info.classes),
        "megabytes": round(size / 2**20, 2),
        "temperature": round(info.temperature, 3),
        "validation_images": [len(one.truth) for one in judged],
        "validation_accuracy": [round(value, 4) for value in right],
        "class_wise": [
            name for name, own in zip(info.classes, info.class_wise, strict=True) if own
        ],
    }
