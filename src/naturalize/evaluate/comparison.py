"""Two arms of a study held against each other, and several such comparisons at once."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.compare import McNemar
from naturalize.evaluate.holm import holm


class Comparison(BaseModel):
    """How much better ``arm`` is than ``baseline``: arm minus baseline, above 0 if it gained.

    ``p`` is the bootstrap p-value of no difference in macro F1. ``mcnemar`` holds one exact test
    for each seed, ``a`` the baseline and ``b`` the arm. The tests share their samples, so their
    counts must not be added up. ``holm_p`` and ``mcnemar_holm_p`` are these p-values adjusted for
    the number of comparisons of the report (:mod:`naturalize.evaluate.holm`), seed by seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: str
    arm: str
    accuracy: Interval
    macro_f1: Interval
    p: float
    mcnemar: tuple[McNemar, ...]
    holm_p: float = 1.0
    mcnemar_holm_p: tuple[float, ...] = ()


def adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return ``comparisons`` with p-values adjusted for their number."""
    overall = holm([one.p for one in comparisons])
    seeds = range(max((len(one.mcnemar) for one in comparisons), default=0))
    by_seed: list[list[float]] = [[] for _ in comparisons]
    for seed in seeds:
        family = [i for i, one in enumerate(comparisons) if seed < len(one.mcnemar)]
        tested = holm([comparisons[i].mcnemar[seed].p for i in family])
        for i, p in zip(family, tested, strict=True):
            by_seed[i].append(p)
    return tuple(
        one.model_copy(update={"holm_p": p, "mcnemar_holm_p": tuple(each)})
        for one, p, each in zip(comparisons, overall, by_seed, strict=True)
    )
