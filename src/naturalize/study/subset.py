"""Few real images a class, drawn from the train side of a split; smaller sets within larger.

A subset is a split of its own: its train and validation images are all that training, composing
and choosing may look at; its test side is that of the split it was drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.seeds import child
from naturalize.split.by_group import grouped
from naturalize.split.split import RealSplit

VALIDATE_EVERY = 5
"""One group in so many of a subset is for validation."""
LARGEST_GROUP = 2
"""Larger groups are passed over: few images must still fill two sides."""


def draw_subset(split: RealSplit, size: int, *, seed: int) -> dict[str, str]:
    """Return the side of each image of a subset with ``size`` real images of each class.

    Groups are drawn whole, in an order that does not depend on ``size``, and keep their side in
    every size, so that a subset lies in one that is larger by :data:`LARGEST_GROUP` or more. Groups
    of two classes are passed over. :class:`InputError` naming a class with too few.
    """
    groups, classes = grouped(split.train)
    sides = {sample.id: "test" for sample in split.test}
    for label in split.classes:
        names = [name for name in classes[label] if _is_plain(groups[name])]
        order = [names[i] for i in child(seed, "subset", label).permutation(len(names))]
        drawn = _first(order, groups, size)
        if len(drawn) < size:
            raise InputError(f"size {size}, class {label}", f"{size} train images", len(drawn))
        sides |= drawn
    return sides


def check_subset(subset: RealSplit, whole: RealSplit, size: int | None) -> None:
    """Raise :class:`LeakError` unless ``subset`` learns and validates on train images alone.

    It must hold at most ``size`` of each class, train and validation together, all from the train
    side of ``whole`` by name and bytes, and no test image that ``whole`` does not test. Without a
    ``size`` it validates on images of the validation side.
    """
    learned = subset.train + subset.val
    sides = (
        (subset.train, whole.train),
        (subset.val, whole.val if size is None else whole.train),
        (subset.test, whole.test),
    )
    strays = []
    for some, home in sides:
        allowed = {(s.id, s.sha256, s.label) for s in home}
        strays += [s.id for s in some if (s.id, s.sha256, s.label) not in allowed]
    if strays:
        raise LeakError(
            f"subset {subset.id}: {len(strays)} images do not stand where split {whole.id} has "
            f"them, for example {strays[0]}"
        )
    for label in subset.classes:
        count = sum(sample.label == label for sample in learned)
        if size is not None and count > size:
            raise LeakError(f"subset {subset.id} holds {count} images of {label}, not {size}")


def _is_plain(members: Sequence[Sample]) -> bool:
    return len({sample.label for sample in members}) == 1 and len(members) <= LARGEST_GROUP


def _first(
    order: Sequence[str], groups: Mapping[str, Sequence[Sample]], size: int
) -> dict[str, str]:
    """Fill ``size`` places from the front of ``order``; pass by a group that no longer fits."""
    sides: dict[str, str] = {}
    for number, name in enumerate(order):
        if len(sides) + len(groups[name]) <= size:
            side = "train" if number % VALIDATE_EVERY else "val"
            sides |= {sample.id: side for sample in groups[name]}
    return sides
