"""How long work says how far it is: a function wrapped around an iterable.

Stages take ``track`` and know nothing of terminals; the command line passes :func:`bar`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Wraps an iterable and reports on it while it is consumed."""

    def __call__(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Yield every item; ``total`` is their number, ``what`` names the work."""
        ...


def quiet(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Report nothing."""
    yield from items


def bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Draw a progress bar on standard error; plain lines where that is not a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task)
