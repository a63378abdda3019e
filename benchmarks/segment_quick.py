"""How good and how fast the default segmenter is on real images.

    python benchmarks/segment_quick.py --data ../shared/data --sheet out/segment.png

Prints one JSON line: mean and lowest IoU on hand-masked CellaVision cells, recall and precision of
red cells against BCCD's boxes, images per second on PBC with one thread. The sheet shows outlines
on PBC images, some of every class, to be judged by eye.
"""

from __future__ import annotations

import argparse
import json
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.segment import Mask, Smear

COLOURS = {"WBC": (0, 200, 0), "RBC": (30, 90, 255), "PLT": (255, 120, 0)}
NUCLEUS_COLOUR = (0, 255, 255)


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
    sample = pbc_sample(given.data / "PBC_dataset_normal_DIB", given.per_class, given.seed)
    result = {
        **masks_agreement(given.data / "wbc_masks"),
        **box_recall(given.data / "BCCD", given.fields),
        **speed([path for paths in sample.values() for path in paths]),
    }
    print(json.dumps(result))
    if given.sheet is not None:
        given.sheet.parent.mkdir(parents=True, exist_ok=True)
        given.sheet.write_bytes(images.encode_png(overlay_sheet(sample)))


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return intersection over union."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def masks_agreement(folder: Path) -> dict[str, object]:
    """Compare the mask nearest each hand-drawn cell with it."""
    cell, nucleus, names = [], [], []
    for path in sorted(folder.glob("*.bmp")):
        truth = images.decode_labels(path.with_suffix(".png").read_bytes())
        found = [m for m in Smear().segment(images.read(path)) if m.kind == "WBC"]
        whole = [m.to_image(truth.shape) for m in found]
        best = max(range(len(whole)), key=lambda i: iou(whole[i], truth > 0), default=None)
        cell.append(0.0 if best is None else iou(whole[best], truth > 0))
        nucleus.append(0.0 if best is None else iou(nucleus_image(found[best], truth), truth > 200))
        names.append(path.stem)
    worst = sorted(zip(cell, names, strict=True))[:6]
    return {
        "cell_iou_mean": round(float(np.mean(cell)), 4),
        "cell_iou_min": round(min(cell), 4),
        "nucleus_iou_mean": round(float(np.mean(nucleus)), 4),
        "nucleus_iou_min": round(min(nucleus), 4),
        "worst_cells": {name: round(value, 3) for value, name in worst},
    }


def nucleus_image(mask: Mask, like: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the nucleus of ``mask`` on a canvas of the shape of ``like``."""
    whole = np.zeros(like.shape, dtype=bool)
    if mask.nucleus is not None:
        whole[mask.box.slices] = mask.nucleus
    return whole


def box_recall(folder: Path, count: int) -> dict[str, float]:
    """Match masks' boxes one to one with BCCD's at IoU 0.5, red cells and white cells."""
    paths = sorted((folder / "Annotations").glob("*.xml"))
    paths = paths[:: max(1, len(paths) // count)][:count]
    hits: dict[str, int] = defaultdict(int)
    for path in paths:
        found = Smear().segment(images.read(folder / "JPEGImages" / f"{path.stem}.jpg"))
        for name, kind in (("RBC", "RBC"), ("WBC", "WBC"), ("Platelets", "PLT")):
            truth = annotated_boxes(path, name)
            ours = [m.box for m in found if m.kind == kind]
            boxes = [(b.left, b.top, b.right, b.bottom) for b in ours]
            hits[f"{kind} true"] += len(truth)
            hits[f"{kind} found"] += len(boxes)
            hits[f"{kind} hit"] += matches(truth, boxes)
    return {
        f"bccd_{kind.lower()}_{what}": round(hits[f"{kind} hit"] / max(hits[f"{kind} {of}"], 1), 4)
        for kind in ("RBC", "WBC", "PLT")
        for what, of in (("recall", "true"), ("precision", "found"))
    }


def annotated_boxes(path: Path, name: str) -> list[tuple[int, ...]]:
    """Return (left, top, right, bottom) of the objects called ``name``."""
    return [
        tuple(
            int(item.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        for item in ElementTree.parse(path).getroot().iter("object")
        if item.findtext("name") == name
    ]


def matches(truth: list[tuple[int, ...]], boxes: list[tuple[int, ...]]) -> int:
    """Return how many boxes pair up at IoU 0.5 or more, best pairs first."""
    if not truth or not boxes:
        return 0
    one, other = np.array(truth, float)[:, None], np.array(boxes, float)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(min=0).prod(axis=2)
    areas = [(b[..., 2:] - b[..., :2]).prod(axis=2) for b in (one, other)]
    overlap = shared / (areas[0] + areas[1] - shared)
    count = 0
    while overlap.max() >= 0.5:
        i, j = np.unravel_index(overlap.argmax(), overlap.shape)
        overlap[i], overlap[:, j] = 0, 0
        count += 1
    return count


def pbc_sample(folder: Path, per_class: int, seed: int) -> dict[str, list[Path]]:
    """Draw images of every class, by the prefix of the file name."""
    classes = defaultdict(list)
    for path in sorted(folder.glob("*/[A-Z]*.jpg")):
        classes[path.stem.split("_")[0]].append(path)
    rng = seeds.child(seed, "segment_quick")
    return {
        name: [paths[i] for i in rng.choice(len(paths), min(per_class, len(paths)), replace=False)]
        for name, paths in sorted(classes.items())
    }


def speed(paths: list[Path]) -> dict[str, float]:
    """Return images per second of processor time, one thread."""
    pictures = [images.read(path) for path in paths]
    start = time.process_time()
    for picture in pictures:
        Smear().segment(picture)
    return {"images_per_s": round(len(pictures) / (time.process_time() - start), 1)}


def overlay_sheet(sample: dict[str, list[Path]]) -> NDArray[np.uint8]:
    """Return a sheet with one row a class."""
    rows = []
    for paths in sample.values():
        tiles = [overlay(images.read(path)) for path in paths]
        rows.append(np.hstack(tiles))
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows])


def overlay(rgb: images.Rgb) -> NDArray[np.uint8]:
    """Draw the outlines of all masks on a copy of ``rgb``, 363 pixels square."""
    canvas = rgb.copy()
    for mask in Smear().segment(rgb):
        draw(canvas, mask.to_image(rgb.shape), COLOURS[mask.kind])
        if mask.nucleus is not None:
            draw(canvas, nucleus_image(mask, canvas[..., 0].astype(np.int32)), NUCLEUS_COLOUR)
    return np.asarray(cv2.resize(canvas, (363, 363), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw(canvas: images.Rgb, pixels: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    """Draw one outline on ``canvas``."""
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(canvas, contours, -1, colour, 2)


if __name__ == "__main__":
    main()
