"""Images a second of one core, from the bytes on disk to masks."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from naturalize import images, seeds
from naturalize.errors import InputError
from naturalize.segment import Segmenter
from processor import processor
from segment_truth import pbc_sample

SHAPE = (363, 360, 3)
PER_CLASS = 20
ROUNDS = 3

Work = Callable[[Path], object]


def measure_speed(
    segmenter: Segmenter, data: Path, per_class: int | None, *, beside: Path | None = None
) -> dict[str, object]:
    """Time reading, decoding and segmenting PBC images of the main source, several rounds.

    Processor time of the whole process, so a thread more would not flatter it; other work on the
    machine still costs caches. The best round is told beside all of them. ``beside`` is the ``src``
    folder of another checkout, whose ``smear`` is timed in turn, round by round: of those, the
    ratio of times says more than the times.
    """
    sample = pbc_sample(data, per_class or PER_CLASS, rng=seeds.child(0, "speed"))
    paths = [p for some in sample.values() for p in some if images.read(p).shape == SHAPE]
    works: dict[str, Work] = {
        "decoding": images.read,
        "own": lambda path: segmenter.segment(images.read(path)),
    }
    if beside is not None:
        works["beside"] = smear_of(beside)
    for work in works.values():
        work(paths[0])
    rounds = [{name: seconds(work, paths) for name, work in works.items()} for _ in range(ROUNDS)]
    per_s = [round(len(paths) / one["own"], 1) for one in rounds]
    result: dict[str, object] = {
        "images": len(paths),
        "height_px": SHAPE[0],
        "width_px": SHAPE[1],
        "images_per_s": max(per_s),
        "images_per_s_rounds": per_s,
        "processor": processor(),
        "read_and_decode_ms": round(1000 * min(one["decoding"] for one in rounds) / len(paths), 2),
    }
    if beside is not None:
        per_s = [round(len(paths) / one["beside"], 1) for one in rounds]
        result["images_per_s_beside"] = max(per_s)
        ratios = [one["own"] / one["beside"] for one in rounds]
        result["time_to_that_beside"] = round(float(np.median(ratios)), 3)
        result["time_to_that_beside_rounds"] = [round(ratio, 3) for ratio in ratios]
    return result


def seconds(work: Work, paths: Sequence[Path]) -> float:
    """Return the processor time of work on all of the images."""
    start = time.process_time()
    for path in paths:
        work(path)
    return time.process_time() - start


def smear_of(src: Path) -> Work:
    """Return reading and segmenting as another checkout's ``src`` does it, in this process."""
    if not (src / "naturalize").is_dir():
        raise InputError("beside", "the src folder of another checkout", src)
    own = taken_modules()
    sys.path.insert(0, str(src))
    try:
        reader: Any = importlib.import_module("naturalize.images")
        segmenter: Any = importlib.import_module("naturalize.segment").Smear()
    finally:
        sys.path.remove(str(src))
        taken_modules()
        sys.modules.update(own)
    return lambda path: segmenter.segment(reader.read(path))


def taken_modules() -> dict[str, Any]:
    """Take all modules of the package from those known to be imported, and return them."""
    names = [name for name in sys.modules if name.split(".")[0] == "naturalize"]
    return {name: sys.modules.pop(name) for name in names}
