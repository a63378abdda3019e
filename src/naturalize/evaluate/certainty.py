"""What the probabilities of an arm are worth: calibration, ranking, coverage and risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from naturalize.evaluate.auroc import auroc_one_vs_rest
from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)
from naturalize.evaluate.coverage import accuracy_at, area_under_risk_coverage
from naturalize.evaluate.weighted_bootstrap import Floats, WeightedStatistic, weighted_intervals

COVERAGES = (0.5, 0.8, 0.9, 0.95)
CURVE = tuple(round(0.05 * step, 2) for step in range(2, 21))
"""Coverages at which the curve is drawn."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Covered:
    """The accuracy of the surest share ``coverage`` of all answers."""

    coverage: float
    accuracy: Interval


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Certainty:
    """Figures of probabilities, means over seeds with intervals over groups and seeds.

    ``ece`` is the expected calibration error, its interval recentred; ``macro_auroc`` the mean over
    classes of ``auroc``, one class against all others, in the order of the classes (.5 for one
    without samples); ``risk_coverage`` the area under the risk-coverage curve. ``bins`` hold the
    answers of all seeds together; ``curve`` is (coverage, accuracy), the mean over seeds.
    """

    ece: Interval
    risk_coverage: Interval
    macro_auroc: Interval
    auroc: tuple[Interval, ...]
    covered: tuple[Covered, ...]
    bins: tuple[ReliabilityBin, ...]
    curve: tuple[tuple[float, float], ...]


def certainty(
    probabilities: Sequence[NDArray[np.float32]],
    truth: NDArray[np.int64],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> Certainty:
    """Measure the ``probabilities`` of each seed, (N, C); ``truth`` are class indices, (N,)."""
    given = [p.astype(np.float64) for p in probabilities]
    sure = [p.max(axis=1) for p in given]
    right = [p.argmax(axis=1) == truth for p in given]
    seeds = [_statistic(*seed, truth) for seed in zip(given, sure, right, strict=True)]
    ece, risk, macro, *rest = weighted_intervals(
        seeds, groups, rng=rng, resamples=resamples, level=level, recentred=(0,)
    )
    plain = np.ones((1, len(truth)))
    curves = [accuracy_at(s, r, plain, CURVE)[0] for s, r in zip(sure, right, strict=True)]
    return Certainty(
        ece=replace(ece, low=max(0.0, ece.low)),
        risk_coverage=risk,
        macro_auroc=macro,
        auroc=tuple(rest[len(COVERAGES) :]),
        covered=tuple(map(Covered, COVERAGES, rest)),
        bins=reliability(np.concatenate(sure), np.concatenate(right)),
        curve=tuple(zip(CURVE, np.mean(curves, axis=0).tolist(), strict=True)),
    )


def _statistic(
    probabilities: Floats, sure: Floats, right: NDArray[np.bool_], truth: NDArray[np.int64]
) -> WeightedStatistic:
    present = np.unique(truth)

    def measured(weights: Floats) -> Floats:
        areas = auroc_one_vs_rest(probabilities, truth, weights)
        columns = (
            expected_calibration_error(sure, right, weights)[:, None],
            area_under_risk_coverage(sure, right, weights)[:, None],
            areas[:, present].mean(axis=1)[:, None],
            accuracy_at(sure, right, weights, COVERAGES),
            areas,
        )
        return np.concatenate(columns, axis=1)

    return measured
