"""Proof that a split keeps its sides apart; shares no code with what makes splits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from naturalize.datasets.sample import Sample
from naturalize.errors import LeakError


class Sides(Protocol):
    """What is checked: three sides of samples under one id."""

    @property
    def id(self) -> str:
        """Id of the split."""
        ...

    @property
    def train(self) -> tuple[Sample, ...]:
        """Images that may be cut up and learned from."""
        ...

    @property
    def val(self) -> tuple[Sample, ...]:
        """Images to choose by."""
        ...

    @property
    def test(self) -> tuple[Sample, ...]:
        """Images to judge by."""
        ...


def leak_check(split: Sides) -> None:
    """Raise :class:`LeakError` if an id, a file's bytes or a group stands on two sides."""
    sides = {"train": split.train, "val": split.val, "test": split.test}
    for what in ("id", "sha256", "group"):
        seen: dict[str, str] = {}
        for side, samples in sides.items():
            for sample in samples:
                value = getattr(sample, what)
                if seen.setdefault(value, side) != side:
                    raise LeakError(
                        f"split {split.id}: {what} {value} ({sample.id}) is in both "
                        f"{seen[value]} and {side}"
                    )


def check_donors(split: Sides, donors: Iterable[tuple[str, str]], *, what: str) -> None:
    """Raise :class:`LeakError` unless every donor (sample id, sha256) is a train image.

    ``what`` names the thing made from the donors, for the message.
    """
    train = {(sample.id, sample.sha256) for sample in split.train}
    stray = sorted(set(donors) - train)
    if stray:
        raise LeakError(
            f"{what}: {len(stray)} donor images are not train images of split {split.id}, "
            f"for example {stray[0][0]}"
        )
