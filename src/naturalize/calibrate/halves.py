"""Validation images in two halves that share no group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from naturalize.datasets.sample import Sample
from naturalize.seeds import child

Samples = tuple[Sample, ...]


def two_halves(samples: Sequence[Sample], *, seed: int) -> tuple[Samples, Samples]:
    """Deal ``samples`` into two halves, each class evenly, groups whole, whatever their order.

    Groups are drawn in an order that ``seed`` decides; each goes where its first image's class has
    fewer images so far, or, where that is even, to the smaller half.
    """
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda one: one.id):
        groups[sample.group].append(sample)
    names = sorted(groups)
    order = child(seed, "halves").permutation(len(names))
    halves: tuple[list[Sample], list[Sample]] = ([], [])
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for place in order:
        members = groups[names[place]]
        first, second = counts[members[0].label]
        half = int((second, len(halves[1])) < (first, len(halves[0])))
        halves[half].extend(members)
        for sample in members:
            counts[sample.label][half] += 1
    return tuple(halves[0]), tuple(halves[1])
