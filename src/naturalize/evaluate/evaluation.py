"""Arms of a study, scored and compared on the same real test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from naturalize.errors import InputError
from naturalize.evaluate.alignment import aligned
from naturalize.evaluate.blood_scores import BloodScores, are_blood, blood_scores
from naturalize.evaluate.bootstrap import (
    Interval,
    ScoreIntervals,
    bootstrap_seed_scores,
    confusions,
    seed_cells,
)
from naturalize.evaluate.certainty import Certainty, certainty
from naturalize.evaluate.compare import mcnemar, paired_difference
from naturalize.evaluate.comparison import Comparison, adjusted
from naturalize.evaluate.confusion import class_indices
from naturalize.evaluate.scores import Scores, scores
from naturalize.predictions import Predictions
from naturalize.seeds import child

RESAMPLES = 2000
LEVEL = 0.95


class ArmResult(BaseModel):
    """What one arm scored; an arm is one way to train, run with one or more seeds.

    ``scores`` are means over seeds, with intervals over groups and seeds; ``per_seed`` holds each
    seed alone, in the order of ``checkpoint_ids``. ``summed_confusion`` adds up the confusion
    matrices of all seeds (rows truth, columns predicted), so each sample counts once a seed.
    ``blood`` is there where the classes are PBC's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    checkpoint_ids: tuple[str, ...]
    scores: ScoreIntervals
    per_seed: tuple[Scores, ...]
    summed_confusion: tuple[tuple[int, ...], ...]
    certainty: Certainty
    blood: BloodScores | None

    @property
    def seeds(self) -> int:
        """The number of seeds this arm was trained with."""
        return len(self.checkpoint_ids)


class Sensitivity(BaseModel):
    """The same comparisons made once more under another assumption, which ``name`` says.

    ``macro_f1`` is that of each arm, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n: int
    n_groups: int
    macro_f1: dict[str, Interval]
    comparisons: tuple[Comparison, ...]


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
    sensitivity: tuple[Sensitivity, ...] = ()

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
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> EvaluationReport:
    """Score every arm and compare arms pairwise on the samples of ``truth``.

    ``arms`` holds one :class:`Predictions` for each seed of an arm, ``truth`` and ``groups`` the
    label and the group of each sample id. ``pairs`` names (baseline, arm); by default the first
    arm is the baseline of all others. Compared arms need the same number of seeds, in the same
    order. Every arm and pair sees the same draws, so adding an arm changes no other number but
    p-values adjusted for the number of comparisons.
    Raises :class:`InputError` where predictions are not for exactly these samples, differ in split
    or classes, or where a sample has no group.
    """
    tested = _Tested.of(arms, truth, groups, rng, resamples, level)
    return EvaluationReport(
        split_id=tested.split_id,
        classes=tested.classes,
        n=len(tested.truth),
        n_groups=len(set(tested.groups)),
        level=level,
        resamples=resamples,
        arms=tuple(tested.result(name) for name in arms),
        comparisons=tested.comparisons(_pairs(arms, pairs)),
    )


def compare_again(
    name: str,
    arms: Mapping[str, Sequence[Predictions]],
    truth: Mapping[str, str],
    groups: Mapping[str, str],
    *,
    rng: np.random.Generator,
    pairs: Sequence[tuple[str, str]] | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Sensitivity:
    """Compare arms under another assumption: on fewer samples, or with other groups.

    Predictions of samples that ``truth`` does not name are left out; else as
    :func:`evaluate_arms`.
    """
    fewer = {arm: [seed.only(truth.keys()) for seed in seeds] for arm, seeds in arms.items()}
    tested = _Tested.of(fewer, truth, groups, rng, resamples, level)
    return Sensitivity(
        name=name,
        n=len(tested.truth),
        n_groups=len(set(tested.groups)),
        macro_f1={arm: tested.scores(arm).macro_f1 for arm in arms},
        comparisons=tested.comparisons(_pairs(arms, pairs)),
    )


def _pairs(
    arms: Mapping[str, object], pairs: Sequence[tuple[str, str]] | None
) -> Sequence[tuple[str, str]]:
    first, *others = arms
    return [(first, name) for name in others] if pairs is None else pairs


@dataclass(frozen=True, eq=False)
class _Tested:
    """Aligned predictions of all arms, and the resampling that all arms and pairs share."""

    split_id: str
    classes: tuple[str, ...]
    truth: tuple[str, ...]
    groups: tuple[str, ...]
    seeds: Mapping[str, tuple[Predictions, ...]]
    draws: int
    resamples: int
    level: float

    @classmethod
    def of(
        cls,
        arms: Mapping[str, Sequence[Predictions]],
        truth: Mapping[str, str],
        groups: Mapping[str, str],
        rng: np.random.Generator,
        resamples: int,
        level: float,
    ) -> _Tested:
        """Bring everything into one order; refuse what does not belong together."""
        first = _first(arms)
        ids = sorted(truth)
        missing = [sample_id for sample_id in ids if sample_id not in groups]
        if missing:
            raise InputError("groups", "a group for every sample", f"none for {missing[0]}")
        seeds = {name: _aligned(name, arm, ids, first) for name, arm in arms.items()}
        return cls(
            first.split_id,
            first.classes,
            tuple(truth[i] for i in ids),
            tuple(groups[i] for i in ids),
            seeds,
            int(rng.integers(2**63)),
            resamples,
            level,
        )

    def labels(self, arm: str) -> tuple[tuple[str, ...], ...]:
        return tuple(predictions.labels() for predictions in self.seeds[arm])

    def scores(self, arm: str) -> ScoreIntervals:
        return bootstrap_seed_scores(
            self.truth, self.labels(arm), self.groups, self.classes, **self._drawn()
        )

    def result(self, arm: str) -> ArmResult:
        cells = seed_cells(self.truth, self.labels(arm), self.classes)
        matrices = confusions(cells, len(self.classes))
        probabilities = [predictions.probabilities for predictions in self.seeds[arm]]
        true = class_indices(self.truth, self.classes, argument="truth")
        return ArmResult(
            name=arm,
            checkpoint_ids=tuple(predictions.checkpoint_id for predictions in self.seeds[arm]),
            scores=self.scores(arm),
            per_seed=tuple(scores(matrix, self.classes) for matrix in matrices),
            summed_confusion=tuple(tuple(row) for row in matrices.sum(axis=0).tolist()),
            certainty=certainty(probabilities, true, self.groups, **self._drawn()),
            blood=self._blood(cells),
        )

    def _blood(self, cells: NDArray[np.int64]) -> BloodScores | None:
        if not are_blood(self.classes):
            return None
        return blood_scores(cells, self.groups, self.classes, **self._drawn())

    def comparisons(self, pairs: Sequence[tuple[str, str]]) -> tuple[Comparison, ...]:
        return adjusted([self._comparison(*pair) for pair in pairs])

    def _comparison(self, baseline: str, arm: str) -> Comparison:
        unknown = [name for name in (baseline, arm) if name not in self.seeds]
        if unknown:
            raise InputError("pairs", f"names out of {', '.join(self.seeds)}", unknown[0])
        a, b = self.labels(baseline), self.labels(arm)
        if len(a) != len(b):
            got = f"{baseline} with {len(a)}, {arm} with {len(b)}"
            raise InputError("pairs", "arms with the same number of seeds", got)
        gain = paired_difference(self.truth, a, b, self.groups, self.classes, **self._drawn())
        return Comparison(
            baseline=baseline,
            arm=arm,
            accuracy=gain.accuracy,
            macro_f1=gain.macro_f1,
            p=gain.p,
            mcnemar=tuple(mcnemar(self.truth, *seed) for seed in zip(a, b, strict=True)),
        )

    def _drawn(self) -> dict[str, Any]:
        """Return what decides the resamples: the same for all arms, pairs and figures."""
        rng = child(self.draws, "resamples")
        return {"rng": rng, "resamples": self.resamples, "level": self.level}


def _aligned(
    name: str, arm: Sequence[Predictions], ids: Sequence[str], first: Predictions
) -> tuple[Predictions, ...]:
    """Check one arm and return its seeds in the order of ``ids`` and the classes of ``first``."""
    strays = {predictions.split_id for predictions in arm} - {first.split_id}
    if strays:
        raise InputError(f"arm {name}", f"predictions of split {first.split_id}", min(strays))
    return tuple(aligned(predictions, ids, first.classes) for predictions in arm)


def _first(arms: Mapping[str, Sequence[Predictions]]) -> Predictions:
    """Return the predictions whose classes and split all others must share."""
    if not arms:
        raise InputError("arms", "at least one arm", "none")
    empty = [name for name, arm in arms.items() if not arm]
    if empty:
        raise InputError(f"arm {empty[0]}", "predictions of at least one seed", "none")
    return next(iter(arms.values()))[0]
