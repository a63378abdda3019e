"""What composing costs beyond one core's time: memory that must not grow, a second process."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import cv2

from compose_steps import WARM_UP, Online
from naturalize.artefact import open_artefact
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.bank import CutoutBank

RECIPE = "naturalize"
WORKERS = (1, 2, 1, 2)
_KIB = 1024 if sys.platform == "darwin" else 1
_SPAWN = multiprocessing.get_context("spawn")


def memory_after(folder: Path, marks: list[int]) -> dict[str, Any]:
    """Return the peak MiB of a fresh process after so many composites."""
    told: Queue[dict[str, Any]] = _SPAWN.Queue()
    process = _SPAWN.Process(target=_grow, args=(folder, marks, told))
    process.start()
    found = told.get()
    process.join()
    return found


def speed_of_workers(folder: Path, images: int) -> dict[str, Any]:
    """Return composites a second (wall clock) of one process and of two at once, in turn.

    Each makes ``images`` composites once all are warm; the slowest counts.
    """
    load = os.getloadavg()[0]
    speeds: dict[str, list[float]] = {}
    for workers in WORKERS:
        speeds.setdefault(str(workers), []).append(round(_together(folder, images, workers), 1))
    gain = max(speeds["2"]) / max(speeds["1"])
    found: dict[str, Any] = {"images": images, "per_second": speeds, "gain": round(gain, 2)}
    return found | {"when": f"load {load:.1f}"}


def _together(folder: Path, images: int, workers: int) -> float:
    told: Queue[float] = _SPAWN.Queue()
    barrier = _SPAWN.Barrier(workers)
    args = (folder, images, barrier, told)
    processes = [_SPAWN.Process(target=_compose, args=(*args, i)) for i in range(workers)]
    for process in processes:
        process.start()
    seconds = max([told.get() for _ in processes])
    for process in processes:
        process.join()
    return workers * images / seconds


def _warm(folder: Path) -> Online:
    cv2.setNumThreads(1)
    online = Online(CutoutBank.load(open_artefact(folder)), load_recipe(RECIPE))
    for _ in range(WARM_UP):
        online.whole()
    return online


def _compose(folder: Path, images: int, barrier: Barrier, told: Queue[float], first: int) -> None:
    online = _warm(folder)
    for _ in range(first):
        next(online.numbers)
    barrier.wait()
    start = time.perf_counter()
    for _ in range(images):
        online.whole()
    told.put(time.perf_counter() - start)


def _grow(folder: Path, marks: list[int], told: Queue[dict[str, Any]]) -> None:
    online = _warm(folder)
    found: dict[str, Any] = {"at the start": _peak_mib()}
    made = 0
    for mark in marks:
        for _ in range(mark - made):
            online.whole()
        made = mark
        found[str(mark)] = _peak_mib()
    told.put(found)


def _peak_mib() -> int:
    """Return the most this process has held; ``ru_maxrss`` would begin with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024
