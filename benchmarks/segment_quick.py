"""How good and how fast the default segmenter is on real images, in half a minute.

    python benchmarks/segment_quick.py --data ../shared/data --sheet out/segment.png

Prints one JSON line to steer by: mean and lowest IoU on hand-masked CellaVision cells, recall and
precision of masks against BCCD's boxes (their precision is a hint at best: many red cells have no
box), images per second on PBC. The sheet shows outlines on PBC images, some of every class, to be
judged by eye. Figures to publish come from ``segment.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.segment import KINDS, Smear
from segment_agreement import nucleus_image
from segment_boxes import hits
from segment_masks import cell_overlap
from segment_truth import fields, hand_cells, pbc_sample

COLOURS = {"WBC": (0, 200, 0), "RBC": (30, 90, 255), "PLT": (255, 120, 0)}
NUCLEUS_COLOUR = (0, 255, 255)
SIDE_PX = 363


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sheet", type=Path, help="write an overlay sheet of PBC images here")
    parser.add_argument("--per-class", type=int, default=8)
    parser.add_argument("--fields", type=int, default=60, help="BCCD images to measure")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rng = seeds.child(given.seed, "segment_quick")
    sample = pbc_sample(given.data, given.per_class, rng=rng)
    result = {
        **masks_agreement(given.data),
        **box_shares(given.data, given.fields),
        **speed(path for paths in sample.values() for path in paths),
    }
    print(json.dumps(result))
    if given.sheet is not None:
        given.sheet.parent.mkdir(parents=True, exist_ok=True)
        given.sheet.write_bytes(images.encode_png(overlay_sheet(sample)))


def masks_agreement(data: Path) -> dict[str, object]:
    """Compare the mask that lies on each hand-drawn cell with it."""
    scores = {c.name: cell_overlap(Smear().segment(c.rgb), c.labels) for c in hand_cells(data)}
    cell, nucleus = zip(*scores.values(), strict=True)
    worst = sorted((value, name) for name, (value, _) in scores.items())[:6]
    return {
        "cell_iou_mean": round(float(np.mean(cell)), 4),
        "cell_iou_min": round(min(cell), 4),
        "nucleus_iou_mean": round(float(np.mean(nucleus)), 4),
        "nucleus_iou_min": round(min(nucleus), 4),
        "worst_cells": {name: round(value, 3) for value, name in worst},
    }


def box_shares(data: Path, count: int) -> dict[str, float]:
    """Pair masks' boxes one to one with BCCD's at IoU 0.5: shares of either that have a mate."""
    total: Counter[str] = Counter()
    for field in fields(data, count):
        masks = Smear().segment(field.rgb)
        paired = hits(masks, field.boxes)
        for kind in KINDS:
            total[f"{kind} hit"] += paired[kind]
            total[f"{kind} recall"] += len(field.boxes[kind])
            total[f"{kind} precision"] += sum(mask.kind == kind for mask in masks)
    return {
        f"bccd_{kind.lower()}_{what}": round(
            total[f"{kind} hit"] / max(total[f"{kind} {what}"], 1), 4
        )
        for kind in ("RBC", "WBC", "PLT")
        for what in ("recall", "precision")
    }


def speed(paths: Iterable[Path]) -> dict[str, float]:
    """Return images per second of processor time, decoding left out."""
    pictures = [images.read(path) for path in paths]
    start = time.process_time()
    for picture in pictures:
        Smear().segment(picture)
    return {"images_per_s": round(len(pictures) / (time.process_time() - start), 1)}


def overlay_sheet(sample: dict[str, list[Path]]) -> NDArray[np.uint8]:
    """Return a sheet with one row a class."""
    rows = [np.hstack([overlay(images.read(p)) for p in paths]) for paths in sample.values()]
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows])


def overlay(rgb: images.Rgb) -> NDArray[np.uint8]:
    """Draw the outlines of all masks on a copy of ``rgb``, 363 pixels square."""
    canvas = rgb.copy()
    for mask in Smear().segment(rgb):
        draw(canvas, mask.to_image(rgb.shape), COLOURS[mask.kind])
        if mask.nucleus is not None:
            draw(canvas, nucleus_image(mask, rgb.shape), NUCLEUS_COLOUR)
    size = (SIDE_PX, SIDE_PX)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw(canvas: images.Rgb, pixels: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    """Draw one outline on ``canvas``."""
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(canvas, contours, -1, colour, 2)


if __name__ == "__main__":
    main()
