"""Bootstrap intervals of what is measured on probabilities, not on a confusion matrix.

Draws are those of :mod:`naturalize.evaluate.bootstrap`: groups, and seeds where there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from naturalize.evaluate.bootstrap import Interval, intervals, multinomial

Floats = NDArray[np.float64]
WeightedStatistic = Callable[[Floats], Floats]
"""Maps how often each sample counts, (B, N), to what is measured, (B, K)."""
_CHUNK_NUMBERS = 1_000_000


def weighted_intervals(
    seeds: Sequence[WeightedStatistic],
    groups: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int,
    level: float,
    recentred: Sequence[int] = (),
) -> tuple[Interval, ...]:
    """Return an interval for each of the K figures, means over ``seeds``, one statistic each.

    Sums of absolute differences grow by resampling alone, so their draws may all lie above the
    figure; those of the ``recentred`` figures are moved by their mean's distance from it.
    """
    plain = np.ones((1, len(groups)))
    values = np.mean([statistic(plain)[0] for statistic in seeds], axis=0)
    draws = np.concatenate(
        [
            np.stack([statistic(weights) for statistic in seeds], axis=1)
            for weights in _resampled(groups, rng, resamples)
        ]
    )
    drawn = multinomial(len(seeds), resamples, rng) / len(seeds)
    means = (drawn[:, :, None] * draws).sum(axis=1)
    moved = list(recentred)
    means[:, moved] -= means[:, moved].mean(axis=0) - values[moved]
    return intervals(values, means, level=level)


def _resampled(groups: Sequence[str], rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """Yield how often each sample counts in resamples of whole groups, (chunk, N)."""
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    chunk = max(1, _CHUNK_NUMBERS // len(group))
    for start in range(0, resamples, chunk):
        counts = multinomial(len(names), min(chunk, resamples - start), rng)
        yield counts[:, group].astype(np.float64)
