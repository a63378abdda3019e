"""Images a second of one core, from the bytes on disk to masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from naturalize import images, seeds
from naturalize.segment import Segmenter
from processor import processor
from segment_elsewhere import Elsewhere
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
        other = Elsewhere.of(beside)
        works["beside"] = lambda path: other.smear.segment(other.read(path))
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
