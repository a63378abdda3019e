"""Run independent pieces of work in order, in this process or in several."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import cv2

from naturalize.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def run_all(
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    workers: int,
    start: Callable[..., None] | None = None,
    start_args: tuple[Any, ...] = (),
) -> Iterator[R]:
    """Yield ``work(item)`` for each item, in order.

    ``start(*start_args)`` runs once in each process first, to open what the work reads. With
    ``workers`` 1 everything runs here; results do not depend on the number.
    """
    if workers < 1:
        raise InputError("--workers", "at least 1", workers)
    if workers == 1 or len(items) < 2:
        if start is not None:
            start(*start_args)
        for item in items:
            yield work(item)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(items)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_one_thread,
        initargs=(start, start_args),
    )
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_thread(start: Callable[..., None] | None, start_args: tuple[Any, ...]) -> None:
    """Keep each process to one thread, so that processes do not fight for the cores."""
    cv2.setNumThreads(1)
    if start is not None:
        start(*start_args)
