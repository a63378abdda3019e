"""How a training goes, as a table that grows while it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table

from naturalize.progress import bar

if TYPE_CHECKING:
    from naturalize.train.fit import Told

T = TypeVar("T")
COLUMNS = ("images", "time", "left", "images/s", "loss", "rate", "val accuracy", "val macro F1")


class LiveTable:
    """Hears of a training and shows it: one row a validation, the last row where it stands now.

    Pass :meth:`watch` and :meth:`track` to ``train_run``. Where ``console`` is no terminal each
    validation is a line of text instead.
    """

    def __init__(self, batch_size: int, console: Console | None = None) -> None:
        self._batch = batch_size
        self._console = Console(stderr=True) if console is None else console
        self._rows: list[Told] = []
        self._live: Live | None = None

    def watch(self, told: Told) -> None:
        """Show how the training stands."""
        if self._rows and not _is_validated(self._rows[-1]):
            self._rows.pop()
        self._rows.append(told)
        if self._console.is_terminal and self._live is not None:
            self._live.update(self._table(), refresh=True)
        elif _is_validated(told):
            cells = zip(COLUMNS, self._cells(told), strict=True)
            told_in_words = ", ".join(f"{name} {cell}" for name, cell in cells)
            self._console.print(told_in_words, soft_wrap=True)

    def track(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Show the table while training; a progress bar while anything else is done."""
        if what != "training":
            yield from bar(items, total, what)
            return
        with Live(console=self._console, auto_refresh=False, transient=False) as self._live:
            yield from items
        self._live = None

    def _table(self) -> Table:
        table = Table(*COLUMNS, title="training", title_justify="left")
        for told in self._rows:
            table.add_row(*self._cells(told))
        return table

    def _cells(self, told: Told) -> tuple[str, ...]:
        left = told.seconds / told.step * (told.steps - told.step)
        scores = told.validated if _is_validated(told) else None
        shown = ("", "") if scores is None else (f"{scores.accuracy:.3f}", f"{scores.macro_f1:.3f}")
        return (
            f"{told.step * self._batch:,} of {told.steps * self._batch:,}",
            _clock(told.seconds),
            _clock(left),
            f"{told.step * self._batch / max(told.seconds, 1e-9):.0f}",
            f"{told.loss:.4f}",
            f"{told.learning_rate:.2g}",
            *shown,
        )


def _is_validated(told: Told) -> bool:
    """Whether the scores of ``told`` are those of this very step."""
    return told.validated is not None and told.validated.step == told.step


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
