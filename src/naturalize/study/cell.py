"""The cells of a study: one training each, named by what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from naturalize.study.spec import ArmSpec, Composed, Spec


@dataclass(frozen=True)
class Ground:
    """What a cell learns from: ``size`` images a class drawn with ``seed``, a fold, or all."""

    size: int | None = None
    seed: int | None = None
    fold: int | None = None

    @property
    def name(self) -> str:
        """A folder name.

        >>> Ground(25, 3).name, Ground(fold=1).name, Ground().name
        ('n25-s3', 'fold1', 'all')
        """
        if self.fold is not None:
            return f"fold{self.fold}"
        return "all" if self.size is None else f"n{self.size}-s{self.seed}"


@dataclass(frozen=True)
class Treatment:
    """How a cell is trained: settings joined by ``+``, and the composites it shows."""

    train: str
    composed: Composed | None = None

    @property
    def name(self) -> str:
        """A folder name, the same for the same treatment."""
        if self.composed is None:
            return self.train
        shown = "" if self.composed.shows == "composites" else f"-{self.composed.shows}"
        share = "" if self.composed.share is None else f"-share{self.composed.share:g}"
        return f"{self.train}_{self.composed.key()}{shown}{share}"


@dataclass(frozen=True)
class Cell:
    """One training of a study."""

    treatment: Treatment
    ground: Ground
    seed: int

    @property
    def name(self) -> str:
        """A folder name."""
        words = f"{self.treatment.name}_{self.ground.name}_s{self.seed}"
        return re.sub(r"[^\w.+-]", "-", words)


def grounds(spec: Spec, size: int | None, seed: int) -> tuple[Ground, ...]:
    """Return what an arm of ``size`` learns from with ``seed``: one ground, or one a fold."""
    if spec.folds is not None:
        return tuple(Ground(fold=fold) for fold in range(spec.folds))
    return (Ground(),) if size is None else (Ground(size, seed),)


def sizes(spec: Spec) -> tuple[int | None, ...]:
    """Return the sizes of a study; one, None, where all is learned from."""
    return spec.sizes or (None,)


def first_cells(spec: Spec) -> Iterator[Cell]:
    """Yield the cells that need no choice to be made first, in the order they should run."""
    for size in sizes(spec):
        for seed in spec.seeds:
            for arm in spec.arms.values():
                yield from _cells(spec, _unchosen(arm, spec, seed), size, seed)


def last_cells(spec: Spec, chosen: Mapping[tuple[str, int | None], str]) -> Iterator[Cell | None]:
    """Yield the cells that wait for a choice, None for one while ``chosen`` lacks (arm, size).

    So the place of a cell in the order does not depend on what has been chosen.
    """
    waiting = [n for n, arm in spec.arms.items() if arm.best_of or _follows_choice(spec, n)]
    for size in sizes(spec):
        for seed in spec.seeds:
            for name in waiting:
                treatment = treatment_of(spec, name, size, chosen)
                if treatment is None:
                    yield from [None] * len(grounds(spec, size, seed))
                else:
                    yield from _cells(spec, [treatment], size, seed)


def treatment_of(
    spec: Spec, name: str, size: int | None, chosen: Mapping[tuple[str, int | None], str]
) -> Treatment | None:
    """Return how an arm is trained at a size; None while that has not been chosen."""
    arm = spec.arms[name]
    train = chosen.get((name, size), "") if arm.best_of else arm.train
    if arm.beside and train:
        other = treatment_of(spec, arm.beside, size, chosen)
        parts = train.split("+") + (other.train.split("+") if other else [])
        train = "+".join(dict.fromkeys(parts)) if other else ""
    return Treatment(train, arm.composed) if train else None


def cells_of(spec: Spec, treatment: Treatment, size: int | None, seed: int) -> tuple[Cell, ...]:
    """Return the cells whose predictions, together, are one seed of an arm."""
    return tuple(_cells(spec, [treatment], size, seed))


def candidates(arm: ArmSpec) -> tuple[Treatment, ...]:
    """Return the treatments an arm is chosen from."""
    return tuple(Treatment(train, arm.composed) for train in arm.best_of)


def _cells(
    spec: Spec, treatments: Sequence[Treatment], size: int | None, seed: int
) -> Iterator[Cell]:
    for ground in grounds(spec, size, seed):
        for treatment in treatments:
            yield Cell(treatment, ground, seed)


def _unchosen(arm: ArmSpec, spec: Spec, seed: int) -> Sequence[Treatment]:
    """Return the treatments of an arm to run before any choice, with ``seed``."""
    if arm.best_of:
        return candidates(arm) if seed in arm.choice_seeds else ()
    if arm.beside and spec.arms[arm.beside].best_of:
        return ()
    train = f"{arm.train}+{spec.arms[arm.beside].train}" if arm.beside else arm.train
    return [Treatment("+".join(dict.fromkeys(train.split("+"))), arm.composed)]


def _follows_choice(spec: Spec, name: str) -> bool:
    beside = spec.arms[name].beside
    return bool(beside) and bool(spec.arms[beside].best_of)
