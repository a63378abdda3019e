"""What a haematologist asks of the classes of PBC: how far off on the maturation line, and how
right in its eight folders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from naturalize.datasets.pbc import FOLDER_OF, MATURATION
from naturalize.evaluate.bootstrap import Interval, confusions, intervals, resampled_seeds
from naturalize.evaluate.kappa import line_positions, quadratic_kappa
from naturalize.evaluate.roll_up import rolled_up
from naturalize.evaluate.scores import OVERALL, overall_scores
from naturalize.evaluate.stage_tolerant import forgiven

_SHOWN = (OVERALL.index("accuracy"), OVERALL.index("macro_f1"))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BloodScores:
    """Means over seeds with intervals over groups and seeds.

    ``kappa`` is quadratic, along PMY-MY-MMY-BNE-SNE; ``tolerant_`` scores count an answer one stage
    off as right; ``folder_`` scores are of the eight folders instead of the eleven classes.
    """

    kappa: Interval
    tolerant_accuracy: Interval
    tolerant_macro_f1: Interval
    folder_accuracy: Interval
    folder_macro_f1: Interval


def are_blood(classes: Sequence[str]) -> bool:
    """Whether all ``classes`` are PBC's, two of them stages of one line."""
    return set(classes) <= FOLDER_OF.keys() and len(line_positions(classes, MATURATION)) > 1


def blood_scores(
    cells: NDArray[np.int64],
    groups: Sequence[str],
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> BloodScores:
    """Score confusion matrix ``cells`` (seeds, samples) of :func:`bootstrap.seed_cells`."""

    def statistic(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
        mild = overall_scores(forgiven(confusion, classes, MATURATION))[..., _SHOWN]
        coarse = overall_scores(rolled_up(confusion, classes, FOLDER_OF))[..., _SHOWN]
        kappa = quadratic_kappa(confusion, classes, MATURATION)[..., None]
        return np.concatenate([kappa, mild, coarse], axis=-1)

    size = len(classes)
    values = statistic(confusions(cells, size)).mean(axis=0)
    draws = resampled_seeds(cells, groups, size, statistic, rng=rng, resamples=resamples)
    return BloodScores(*intervals(values, draws, level=level))
