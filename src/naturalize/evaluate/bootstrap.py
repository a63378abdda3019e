"""Percentile bootstrap intervals that resample groups, not images.

Images of one group (one slide region, one duplicate cluster) are no independent evidence, so a
resample draws groups with replacement and takes all images of a drawn group along, as often as it
was drawn (the cluster bootstrap; Davison and Hinkley 1997, section 3.8). Where a model was trained
with several seeds, a resample draws seeds with replacement as well and averages over them. With
few seeds that understates how much seeds vary, by a factor near (seeds - 1) / seeds in variance;
with one seed the interval is about this one model, not about the way it was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from scipy import sparse

from naturalize.errors import InputError
from naturalize.evaluate.confusion import confusion_cells
from naturalize.evaluate.scores import OVERALL, PER_CLASS, class_scores, overall_scores

Statistic = Callable[[NDArray[np.int64]], NDArray[np.float64]]
_CHUNK_NUMBERS = 2_000_000


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Interval:
    """A value with the ends of its interval.

    >>> Interval(0.9, 0.85, 0.94).said()
    '0.900 [0.850, 0.940]'
    """

    value: float
    low: float
    high: float

    def said(self, *, signed: bool = False) -> str:
        """Return the numbers in words, with three decimals and, for differences, their signs."""
        sign = "+" if signed else ""
        return f"{self.value:{sign}.3f} [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassIntervals:
    """Scores of one class with intervals; ``support`` is its number of samples."""

    label: str
    precision: Interval
    recall: Interval
    f1: Interval
    support: int


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ScoreIntervals:
    """Scores with intervals; means over seeds where there are several."""

    accuracy: Interval
    macro_precision: Interval
    macro_recall: Interval
    macro_f1: Interval
    balanced_accuracy: Interval
    per_class: tuple[ClassIntervals, ...]


def bootstrap_scores(
    truth: Sequence[str],
    predicted: Sequence[str],
    groups: Sequence[str],
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> ScoreIntervals:
    """Score the predictions of one model with intervals; see :func:`bootstrap_seed_scores`."""
    return bootstrap_seed_scores(
        truth, [predicted], groups, classes, rng=rng, resamples=resamples, level=level
    )


def bootstrap_seed_scores(
    truth: Sequence[str],
    predicted: Sequence[Sequence[str]],
    groups: Sequence[str],
    classes: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> ScoreIntervals:
    """Score a model trained with several seeds, intervals over groups and seeds.

    ``predicted`` holds one sequence of labels for each seed, each in the order of ``truth``;
    ``groups`` names the group of each sample. The order of samples does not matter. A class that a
    resample misses altogether scores 0 in it, as in :mod:`naturalize.evaluate.scores`.
    """
    cells = seed_cells(truth, predicted, classes)
    size = len(classes)

    def statistic(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
        by_class = class_scores(confusion)
        flat = by_class.reshape(*by_class.shape[:-2], -1)
        return np.concatenate([overall_scores(confusion), flat], axis=-1)

    values = statistic(confusions(cells, size)).mean(axis=0)
    draws = resampled_seeds(cells, groups, size, statistic, rng=rng, resamples=resamples)
    found = intervals(values, draws, level=level)
    support = confusions(cells[:1], size)[0].sum(axis=1).tolist()
    triples = zip(*[iter(found[len(OVERALL) :])] * len(PER_CLASS), strict=True)
    per_class = tuple(
        ClassIntervals(label=label, support=n, **dict(zip(PER_CLASS, triple, strict=True)))
        for label, triple, n in zip(classes, triples, support, strict=True)
    )
    overall = dict(zip(OVERALL, found[: len(OVERALL)], strict=True))
    return ScoreIntervals(per_class=per_class, **overall)


def seed_cells(
    truth: Sequence[str], predicted: Sequence[Sequence[str]], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the confusion matrix cell of each sample for each seed, shape (seeds, samples)."""
    if not predicted:
        raise InputError("predicted", "labels of at least one seed", "none")
    if not truth:
        raise InputError("truth", "at least one sample", "none")
    return np.stack([confusion_cells(truth, labels, classes) for labels in predicted])


def resampled_seeds(
    cells: NDArray[np.int64],
    groups: Sequence[str],
    n_classes: int,
    statistic: Statistic,
    *,
    rng: np.random.Generator,
    resamples: int,
) -> NDArray[np.float64]:
    """Return the mean of ``statistic`` over drawn seeds for each resample, shape (resamples, K).

    ``statistic`` maps confusion matrices (B, seeds, C, C) to (B, seeds, K); ``cells`` comes from
    :func:`seed_cells`, or holds more rows if ``statistic`` brings them down to one for each seed.
    """
    chunks = [statistic(c) for c in _resampled(cells, groups, n_classes, rng, resamples)]
    values = np.concatenate(chunks)
    weights = multinomial(values.shape[1], resamples, rng) / values.shape[1]
    mean: NDArray[np.float64] = (weights[:, :, None] * values).sum(axis=1)
    return mean


def intervals(
    values: NDArray[np.float64], draws: NDArray[np.float64], *, level: float
) -> tuple[Interval, ...]:
    """Return percentile intervals of ``draws`` (resamples, K) around ``values`` (K,)."""
    if not 0 < level < 1:
        raise InputError("level", "a number between 0 and 1", level)
    ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return tuple(Interval(*row) for row in np.stack([values, *ends], axis=1).tolist())


def _resampled(
    cells: NDArray[np.int64],
    groups: Sequence[str],
    n_classes: int,
    rng: np.random.Generator,
    resamples: int,
) -> Iterator[NDArray[np.int64]]:
    """Yield confusion matrices of resampled groups, shape (chunk, rows of ``cells``, C, C)."""
    models, samples = cells.shape
    if len(groups) != samples:
        raise InputError("groups", f"{samples} groups, as in truth", len(groups))
    if resamples < 1:
        raise InputError("resamples", "at least 1", resamples)
    # np.unique sorts, so the draws do not depend on the order in which samples are listed.
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    flat = cells + n_classes**2 * np.arange(models)[:, None]
    shape = (models * n_classes**2, len(names))
    ones = np.ones(flat.size, np.int64)
    by_group = sparse.csr_array((ones, (flat.ravel(), np.tile(group, models))), shape=shape)
    chunk = max(1, _CHUNK_NUMBERS // sum(shape))
    for start in range(0, resamples, chunk):
        weights = multinomial(len(names), min(chunk, resamples - start), rng)
        counts = np.asarray(by_group @ weights.T).T
        yield counts.reshape(-1, models, n_classes, n_classes)


def multinomial(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Count how often each of ``n`` things is drawn in ``n`` draws, shape (size, n)."""
    drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)


def confusions(cells: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Count cells into confusion matrices, shape (seeds, C, C)."""
    counts = [np.bincount(row, minlength=n_classes**2) for row in cells]
    return np.stack(counts).reshape(-1, n_classes, n_classes)
