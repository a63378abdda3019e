"""A study run cell by cell: it goes on wherever it was left, here or on another machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from naturalize.errors import BusyError, InputError
from naturalize.study.cell import Cell, first_cells, last_cells
from naturalize.study.choose import choices, is_done
from naturalize.study.prepare import Home
from naturalize.study.run_cell import run_cell

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """Every ``count``-th cell, from number ``index`` on, counted from 1.

    >>> Share.read("2/3")
    Share(index=2, count=3)
    """

    index: int = 1
    count: int = 1

    @classmethod
    def read(cls, text: str) -> Share:
        """Read ``I/N``; :class:`InputError` for anything else."""
        first, _, second = text.partition("/")
        if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
            return cls(int(first), int(second))
        raise InputError("--share", "I/N, such as 1/4: the first of four shares", text)

    def of(self, cells: Sequence[T | None]) -> list[T]:
        """Return the cells of this share; a place that is None belongs to no one yet."""
        return [cell for cell in cells[self.index - 1 :: self.count] if cell is not None]


@dataclass(frozen=True)
class Told:
    """How a study stands: cells done and to be done in this share, seconds each took here."""

    done: int
    total: int
    waiting: int
    cell: str
    seconds: float


Watch = Callable[[Told], None]


def planned(home: Home) -> tuple[list[Cell], list[Cell | None]]:
    """Return all cells in order: those that can run now, and those that wait for a choice."""
    first = {cell.name: cell for cell in first_cells(home.spec)}
    return list(first.values()), list(last_cells(home.spec, choices(home)))


def run_study(home: Home, share: Share, watch: Watch) -> int:
    """Run the cells of ``share`` that are not done; return how many of the study are missing.

    A cell that another process is at is left to it. Cells that wait for a choice run once it can be
    made, which may be after other shares are done: run the same command again.
    """
    first, _ = planned(home)
    _run(home, share.of(first), watch, waiting=len(planned(home)[1]))
    _, last = planned(home)
    _run(home, share.of(last), watch, waiting=last.count(None))
    first, last = planned(home)
    known = {cell.name: cell for cell in [*first, *last] if cell is not None}
    return sum(not is_done(home, cell) for cell in known.values()) + last.count(None)


def _run(home: Home, cells: Sequence[Cell], watch: Watch, *, waiting: int) -> None:
    for number, cell in enumerate(cells, start=1):
        if is_done(home, cell):
            continue
        begun = monotonic()
        try:
            run_cell(home, cell)
        except BusyError:
            continue
        watch(Told(number, len(cells), waiting, cell.name, monotonic() - begun))
