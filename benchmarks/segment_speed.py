"""Images a second of one core, from the bytes on disk to masks."""

from __future__ import annotations

import time
from pathlib import Path

from naturalize import images, seeds
from naturalize.segment import Segmenter
from segment_truth import pbc_sample

SHAPE = (363, 360, 3)
PER_CLASS = 20
ROUNDS = 3


def measure_speed(segmenter: Segmenter, data: Path, per_class: int | None) -> dict[str, object]:
    """Time reading, decoding and segmenting PBC images of the main source, several rounds.

    Processor time of the whole process, so a thread more would not flatter it and a busy machine
    hardly hurts. The best round is told beside all of them.
    """
    sample = pbc_sample(data, per_class or PER_CLASS, rng=seeds.child(0, "speed"))
    paths = [p for some in sample.values() for p in some if images.read(p).shape == SHAPE]
    segmenter.segment(images.read(paths[0]))
    rounds, decoding = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        for path in paths:
            images.read(path)
        middle = time.process_time()
        for path in paths:
            segmenter.segment(images.read(path))
        rounds.append(len(paths) / (time.process_time() - middle))
        decoding.append(1000 * (middle - start) / len(paths))
    return {
        "images": len(paths),
        "height_px": SHAPE[0],
        "width_px": SHAPE[1],
        "images_per_s": round(max(rounds), 1),
        "images_per_s_rounds": [round(value, 1) for value in rounds],
        "read_and_decode_ms": round(min(decoding), 2),
    }
