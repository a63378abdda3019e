"""Assign groups of images to train, validation and test: stratified, seeded, groups kept whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.seeds import child


def assign_sides(
    samples: Sequence[Sample],
    *,
    seed: int,
    fractions: Mapping[str, float],
) -> dict[str, str]:
    """Return the side of each sample id.

    Each class is dealt out on its own: its groups are shuffled and fill test, then validation, up
    to their share of the class (at least one group each); the rest is train. A group with several
    classes counts for the one most of its images have.

    Raises :class:`InputError` naming a class with too few groups for three sides.
    """
    groups, classes = grouped(samples)
    refuse_small(groups, classes, 3, "each of train, validation and test")
    sides: dict[str, str] = {}
    for label, names in sorted(classes.items()):
        order = [names[i] for i in child(seed, "split", label).permutation(len(names))]
        sizes = {name: len(groups[name]) for name in names}
        for name, side in _deal(order, sizes, fractions).items():
            sides.update({sample.id: side for sample in groups[name]})
    return sides


def grouped(
    samples: Sequence[Sample],
) -> tuple[dict[str, list[Sample]], dict[str, list[str]]]:
    """Return the members of each group, and the groups of each class, in order of their names.

    A group of several classes belongs to the one most of its images have, the first of equals.
    """
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample)
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for name, members in sorted(groups.items()):
        classes[_class(members)].append(name)
    for sample in samples:
        classes[sample.label] += ()
    return groups, classes


def refuse_small(
    groups: Mapping[str, Sequence[Sample]],
    classes: Mapping[str, Sequence[str]],
    needed: int,
    what: str,
) -> None:
    """Raise :class:`InputError` naming the first class that fewer than ``needed`` groups hold."""
    for label in sorted(classes):
        names = [name for name, found in groups.items() if any(s.label == label for s in found)]
        if len(names) < needed:
            images = sum(s.label == label for members in groups.values() for s in members)
            raise InputError(
                f"class {label}",
                f"at least {needed} groups of images that may be parted, one for {what}",
                f"{len(names)} ({images} images); add images of {label} that show other cells, "
                "or leave the class out: drop its images in a decisions.csv for curate",
            )


def cap_per_class(samples: Sequence[Sample], cap: int, *, seed: int) -> tuple[Sample, ...]:
    """Return at most ``cap`` images of each class, whole groups drawn at random."""
    groups, _ = grouped(samples)
    names = sorted(groups)
    taken: Counter[str] = Counter()
    kept: set[str] = set()
    for i in child(seed, "cap").permutation(len(names)):
        members = groups[names[i]]
        label = _class(members)
        if taken[label] + len(members) <= cap:
            taken[label] += len(members)
            kept.add(names[i])
    return tuple(sample for sample in samples if sample.group in kept)


def _class(members: Sequence[Sample]) -> str:
    counts = Counter(sample.label for sample in members)
    return min(counts, key=lambda label: (-counts[label], label))


def _deal(
    order: Sequence[str], sizes: Mapping[str, int], fractions: Mapping[str, float]
) -> dict[str, str]:
    """Fill test, then validation, from the front of ``order``; what is left is train."""
    total = sum(sizes.values())
    sides: dict[str, str] = {}
    waiting = list(order)
    for side in ("test", "val"):
        wanted, dealt = max(1, round(total * fractions[side])), 0
        while dealt < wanted and len(waiting) > 1:
            name = waiting.pop(0)
            if dealt and dealt + sizes[name] > wanted + 1:
                waiting.append(name)
                break
            sides[name] = side
            dealt += sizes[name]
    sides.update(dict.fromkeys(waiting, "train"))
    return sides
