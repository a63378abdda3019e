"""Proof that a split keeps its sides apart; shares no code with what makes splits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from naturalize.datasets.sample import Sample
from naturalize.errors import LeakError

NAMED = 30
"""Leaks that a message lists before it only counts them."""


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
    """Raise :class:`LeakError` if an id, a file's bytes or a group stands on two sides.

    The message names each of them, up to :data:`NAMED`, with an image on either side.
    """
    sides = {"train": split.train, "val": split.val, "test": split.test}
    for what in ("id", "sha256", "group"):
        first: dict[str, tuple[str, str]] = {}
        leaks: dict[str, str] = {}
        for side, samples in sides.items():
            for sample in samples:
                value = getattr(sample, what)
                home, name = first.setdefault(value, (side, sample.id))
                if home != side:
                    ends = f"in both {home} ({name}) and {side} ({sample.id})"
                    leaks.setdefault(value, f"{what} {value} is {ends}")
        if leaks:
            raise LeakError(_said(split.id, list(leaks.values())))


def _said(split_id: str, leaks: list[str]) -> str:
    more = len(leaks) - NAMED
    named = leaks[:NAMED] + ([f"and {more} more"] if more > 0 else [])
    times = "once" if len(leaks) == 1 else f"{len(leaks)} times"
    return f"split {split_id} leaks {times}: {'; '.join(named)}"


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
