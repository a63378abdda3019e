"""k-fold splits: every image is tested once, groups kept whole, classes dealt out evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.seeds import child
from naturalize.split.by_group import grouped, refuse_small


@dataclass(frozen=True)
class Fold:
    """One of ``count`` folds: number ``index`` is the test side, the next one validation.

    ``repeat`` numbers independent ways of dealing images into folds, for repeated cross-validation.
    Raises :class:`InputError` for numbers that cannot be.
    """

    count: int
    index: int
    repeat: int = 0

    def __post_init__(self) -> None:
        if self.count < 3:
            raise InputError("--folds", "at least 3 (train, validation, test)", self.count)
        if not 0 <= self.index < self.count:
            raise InputError("--fold", f"0 to {self.count - 1}", self.index)
        if self.repeat < 0:
            raise InputError("--repeat", "0 or more", self.repeat)


def fold_sides(samples: Sequence[Sample], fold: Fold, *, seed: int) -> dict[str, str]:
    """Return the side of each sample id.

    Within a class, groups in random order, the largest first, go to the fold that has fewest of
    its images. The folds depend on the seed and ``fold.repeat`` alone, so that the splits of one
    repeat test each image exactly once. Raises :class:`InputError` naming a class with fewer groups
    than folds.
    """
    groups, classes = grouped(samples)
    refuse_small(groups, classes, fold.count, f"each of {fold.count} folds (or fewer --folds)")
    sides: dict[str, str] = {}
    for label, names in sorted(classes.items()):
        rng = child(seed, "folds", fold.repeat, label)
        order = [names[i] for i in rng.permutation(len(names))]
        order.sort(key=lambda name: -len(groups[name]))
        sizes = [0] * fold.count
        start = int(rng.integers(fold.count))
        for name in order:
            at = min(range(fold.count), key=lambda i: (sizes[i], (i - start) % fold.count))
            sizes[at] += len(groups[name])
            sides.update({sample.id: _side(at, fold) for sample in groups[name]})
    return sides


def _side(at: int, fold: Fold) -> str:
    return {fold.index: "test", (fold.index + 1) % fold.count: "val"}.get(at, "train")
