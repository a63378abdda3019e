"""Run independent pieces of work in order, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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
        initializer=_settle,
        initargs=(start, start_args),
    )
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes started meanwhile ignore Ctrl-C, from the first moment; their parent ends them.

    Nothing changes outside the main thread, which alone may say what a signal does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _settle(start: Callable[..., None] | None, start_args: tuple[Any, ...]) -> None:
    """Make a process a good worker: one thread, deaf to Ctrl-C, gone when its parent is gone."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*start_args)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
