"""Arms of a study, scored and compared on the same real test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from naturalize.errors import InputError
from naturalize.evaluate.alignment import aligned_labels
from naturalize.evaluate.bootstrap import Interval, ScoreIntervals, bootstrap_seed_scores
from naturalize.evaluate.compare import McNemar, PairedDifference, mcnemar, paired_difference
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.scores import Scores, scores
from naturalize.predictions import Predictions
from naturalize.seeds import child

Seeds = tuple[tuple[str, ...], ...]
"""The labels of one arm: one tuple for each seed, all in the same order of samples."""


class ArmResult(BaseModel):
    """What one arm scored; an arm is one way to train, run with one or more seeds.

    ``scores`` are means over seeds, with intervals over groups and seeds; ``per_seed`` holds each
    seed alone, in the order of ``checkpoint_ids``. ``summed_confusion`` adds up the confusion
    matrices of all seeds (rows truth, columns predicted), so each sample counts once a seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    checkpoint_ids: tuple[str, ...]
    scores: ScoreIntervals
    per_seed: tuple[Scores, ...]
    summed_confusion: tuple[tuple[int, ...], ...]

    @property
    def seeds(self) -> int:
        """The number of seeds this arm was trained with."""
        return len(self.checkpoint_ids)


class Comparison(BaseModel):
    """How much better ``arm`` is than ``baseline``: arm minus baseline, above 0 if it gained.

    ``mcnemar`` holds one exact test for each seed, ``a`` the baseline and ``b`` the arm. The tests
    share their samples, so their counts must not be added up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: str
    arm: str
    accuracy: Interval
    macro_f1: Interval
    mcnemar: tuple[McNemar, ...]


class EvaluationReport(BaseModel):
    """Scores, intervals and comparisons, and what they came from.

    ``n`` and ``n_groups`` count the samples and their groups; ``level`` is that of every interval.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split_id: str
    classes: tuple[str, ...]
    n: int
    n_groups: int
    level: float
    resamples: int
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]

    @classmethod
    def load(cls, path: Path) -> EvaluationReport:
        """Read what ``model_dump_json`` wrote; :class:`InputError` if the file is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(str(path), "an evaluation report", f"another ({error})") from error


def evaluate_arms(
    arms: Mapping[str, Sequence[Predictions]],
    truth: Mapping[str, str],
    groups: Mapping[str, str],
    *,
    rng: np.random.Generator,
    pairs: Sequence[tuple[str, str]] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> EvaluationReport:
    """Score every arm and compare arms pairwise on the samples of ``truth``.

    ``arms`` holds one :class:`Predictions` for each seed of an arm, ``truth`` and ``groups`` the
    label and the group of each sample id. ``pairs`` names (baseline, arm); by default the first
    arm is the baseline of all others. Compared arms need the same number of seeds, in the same
    order. Every arm and pair sees the same draws, so adding an arm changes no other number.
    Raises :class:`InputError` where predictions are not for exactly these samples, differ in split
    or classes, or where a sample has no group.
    """
    reference = _first(arms)
    ids = sorted(truth)
    missing = [sample_id for sample_id in ids if sample_id not in groups]
    if missing:
        raise InputError("groups", "a group for every sample", f"none for {missing[0]}")
    labels = {name: _labels(name, seeds, ids, reference) for name, seeds in arms.items()}
    truths, units = tuple(truth[i] for i in ids), tuple(groups[i] for i in ids)
    draws = int(rng.integers(2**63))
    bootstrap = _Bootstrap(truths, units, reference.classes, draws, resamples, level)
    names = list(arms)
    compared = [(names[0], name) for name in names[1:]] if pairs is None else pairs
    return EvaluationReport(
        split_id=reference.split_id,
        classes=reference.classes,
        n=len(ids),
        n_groups=len(set(units)),
        level=level,
        resamples=resamples,
        arms=tuple(_result(name, arms[name], labels[name], bootstrap) for name in names),
        comparisons=tuple(_comparison(*pair, labels, bootstrap) for pair in compared),
    )


@dataclass(frozen=True)
class _Bootstrap:
    """The samples, and the resampling that all arms and pairs share."""

    truth: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    seed: int
    resamples: int
    level: float

    def scores(self, labels: Seeds) -> ScoreIntervals:
        return bootstrap_seed_scores(
            self.truth,
            labels,
            self.groups,
            self.classes,
            rng=child(self.seed, "resamples"),
            resamples=self.resamples,
            level=self.level,
        )

    def difference(self, a: Seeds, b: Seeds) -> PairedDifference:
        return paired_difference(
            self.truth,
            a,
            b,
            self.groups,
            self.classes,
            rng=child(self.seed, "resamples"),
            resamples=self.resamples,
            level=self.level,
        )


def _result(
    name: str, arm: Sequence[Predictions], labels: Seeds, bootstrap: _Bootstrap
) -> ArmResult:
    classes = bootstrap.classes
    matrices = [confusion_matrix(bootstrap.truth, seed, classes) for seed in labels]
    summed = np.sum(matrices, axis=0).tolist()
    return ArmResult(
        name=name,
        checkpoint_ids=tuple(predictions.checkpoint_id for predictions in arm),
        scores=bootstrap.scores(labels),
        per_seed=tuple(scores(matrix, classes) for matrix in matrices),
        summed_confusion=tuple(tuple(row) for row in summed),
    )


def _comparison(
    baseline: str, arm: str, labels: Mapping[str, Seeds], bootstrap: _Bootstrap
) -> Comparison:
    unknown = [name for name in (baseline, arm) if name not in labels]
    if unknown:
        raise InputError("pairs", f"names out of {', '.join(labels)}", unknown[0])
    a, b = labels[baseline], labels[arm]
    if len(a) != len(b):
        got = f"{baseline} with {len(a)}, {arm} with {len(b)}"
        raise InputError("pairs", "arms with the same number of seeds", got)
    gain = bootstrap.difference(a, b)
    tests = tuple(mcnemar(bootstrap.truth, *seed) for seed in zip(a, b, strict=True))
    return Comparison(
        baseline=baseline,
        arm=arm,
        accuracy=gain.accuracy,
        macro_f1=gain.macro_f1,
        mcnemar=tests,
    )


def _labels(
    name: str, arm: Sequence[Predictions], ids: Sequence[str], reference: Predictions
) -> Seeds:
    """Check one arm and return its labels for each seed in the order of ``ids``."""
    strays = {predictions.split_id for predictions in arm} - {reference.split_id}
    if strays:
        raise InputError(f"arm {name}", f"predictions of split {reference.split_id}", min(strays))
    return tuple(aligned_labels(predictions, ids, reference.classes) for predictions in arm)


def _first(arms: Mapping[str, Sequence[Predictions]]) -> Predictions:
    """Return the predictions whose classes and split all others must share."""
    if not arms:
        raise InputError("arms", "at least one arm", "none")
    empty = [name for name, arm in arms.items() if not arm]
    if empty:
        raise InputError(f"arm {empty[0]}", "predictions of at least one seed", "none")
    return next(iter(arms.values()))[0]
