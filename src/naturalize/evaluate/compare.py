"""Did one arm do better than another on the same samples?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from scipy.stats import binomtest

from naturalize.errors import InputError
from naturalize.evaluate.bootstrap import Interval, intervals, resampled_seeds, seed_cells
from naturalize.evaluate.scores import OVERALL, overall_scores

_COMPARED = (OVERALL.index("accuracy"), OVERALL.index("macro_f1"))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class McNemar:
    """Samples by which arm was right, and the two-sided exact p-value of equal error rates."""

    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p: float


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PairedDifference:
    """How much better arm b is than arm a (b minus a), means over seeds with intervals.

    ``p`` is the two-sided bootstrap p-value of no difference in macro F1: twice the share of
    resamples on the rarer side of 0 (Davison and Hinkley 1997, section 4.4).
    """

    accuracy: Interval
    macro_f1: Interval
    p: float


def mcnemar(truth: Sequence[str], a: Sequence[str], b: Sequence[str]) -> McNemar:
    """Test two sets of labels for the same samples, in the same order (McNemar 1947, exact form).

    It takes samples as independent, groups or not; the bootstrap does not.

    >>> mcnemar("AABB", "AAAA", "AABB")
    McNemar(both_right=2, only_a=0, only_b=2, both_wrong=0, p=0.5)
    """
    if not len(truth) == len(a) == len(b):
        raise InputError("a and b", f"{len(truth)} labels, as in truth", f"{len(a)} and {len(b)}")
    right = np.array([[t == x, t == y] for t, x, y in zip(truth, a, b, strict=True)], dtype=bool)
    table = np.bincount(right.reshape(-1, 2) @ [2, 1], minlength=4).tolist()
    both_wrong, only_b, only_a, both_right = table
    discordant = only_a + only_b
    p = float(binomtest(only_a, discordant).pvalue) if discordant else 1.0
    return McNemar(both_right, only_a, only_b, both_wrong, p)


def paired_difference(
    truth: Sequence[str],
    a: Sequence[Sequence[str]],
    b: Sequence[Sequence[str]],
    groups: Sequence[str],
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> PairedDifference:
    """Return the gain of arm ``b`` over arm ``a`` with percentile bootstrap intervals.

    ``a`` and ``b`` hold one sequence of labels for each seed, in the order of ``truth``; seed i of
    one belongs to seed i of the other. A resample draws groups and seeds with replacement, the
    same ones for both arms.
    """
    if len(a) != len(b):
        raise InputError("a and b", "as many seeds in both", f"{len(a)} and {len(b)}")
    cells = np.concatenate([seed_cells(truth, arm, classes) for arm in (a, b)])
    size = len(classes)

    def gain(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
        values = overall_scores(confusion)[..., _COMPARED]
        return values[..., len(a) :, :] - values[..., : len(a), :]

    counts = np.stack([np.bincount(row, minlength=size**2) for row in cells])
    values = gain(counts.reshape(-1, size, size)).mean(axis=0)
    draws = resampled_seeds(cells, groups, size, gain, rng=rng, resamples=resamples)
    accuracy, macro_f1 = intervals(values, draws, level=level)
    return PairedDifference(accuracy, macro_f1, _p_value(draws[:, 1]))


def _p_value(draws: NDArray[np.float64]) -> float:
    """Return how likely differences as far from 0 are; never 0, as the draws are but a sample."""
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(draws) + 1))
