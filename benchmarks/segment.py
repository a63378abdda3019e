"""How well and how fast a segmenter works: one command, one JSON file a step.

    python benchmarks/segment.py masks          # 50 hand-drawn cells
    python benchmarks/segment.py boxes          # recall on BCCD's boxes
    python benchmarks/segment.py phantom        # everything, exactly, on drawn images
    python benchmarks/segment.py robust         # the same under 26 changes of the images
    python benchmarks/segment.py robust --only cells --variation "focus blur 2 px"

Each step prints its figures and writes ``STEP.json`` to ``--out`` (``out/segment``, which git
ignores; ``docs/results/segment`` for figures that are to be published).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from naturalize import __version__
from naturalize.segment import SEGMENTERS, Segmenter
from segment_boxes import measure_boxes
from segment_masks import measure_masks
from segment_phantom import measure_phantom
from segment_robust import load_truth, measure_robust
from segment_variations import VARIATIONS

Given = argparse.Namespace
Result = dict[str, Any]


def main() -> None:
    """Run one step."""
    given = parser().parse_args()
    cv2.setNumThreads(1)
    start = time.process_time()
    result = STEPS[given.step](SEGMENTERS[given.segmenter](), given)
    head = {"step": given.step, "segmenter": given.segmenter, "version": __version__}
    given.out.mkdir(parents=True, exist_ok=True)
    target = given.out / f"{given.step}.json"
    target.write_text(json.dumps({**head, **result}, indent=1) + "\n")
    print(f"{target}: {time.process_time() - start:.0f} s of processor time")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("step", choices=STEPS)
    top.add_argument("--with", dest="segmenter", choices=SEGMENTERS, default="smear")
    top.add_argument("--data", type=Path, default=Path("../shared/data"))
    top.add_argument("-o", "--out", type=Path, default=Path("out/segment"))
    top.add_argument("--count", type=int, help="images to use (default: all, or 60 phantoms)")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--only", choices=("cells", "fields", "phantoms"), help="robust: this part")
    top.add_argument("--variation", action="append", help="robust: this one (may be repeated)")
    return top


def masks(segmenter: Segmenter, given: Given) -> Result:
    """Hand-drawn cells."""
    result = measure_masks(segmenter, given.data, given.count)
    show(result, "mean", "min", "cell_iou_under_0.70", "nucleus_iou_under_0.70")
    return result


def boxes(segmenter: Segmenter, given: Given) -> Result:
    """BCCD's boxes."""
    result = measure_boxes(segmenter, given.data, given.count)
    show(result, "recall")
    return result


def phantom(segmenter: Segmenter, given: Given) -> Result:
    """Phantom images."""
    result = measure_phantom(segmenter, given.count or 60, given.seed)
    show(result, "mean", "recall", "precision")
    return result


def robust(segmenter: Segmenter, given: Given) -> Result:
    """Changes of light, stain, magnification, focus and noise."""
    sizes = {"cells": given.count or 50, "fields": 24, "phantoms": 22}
    if given.only:
        sizes = {part: n if part == given.only else 0 for part, n in sizes.items()}
    truth = load_truth(given.data, sizes["cells"], sizes["fields"], sizes["phantoms"])
    rows = {}
    for name, row in measure_robust(segmenter, truth, given.variation or list(VARIATIONS)):
        rows[name] = row
        print(
            f"{name:26}",
            "  ".join(f"{SHORT[k]} {row[k]:.3g}" for k in SHORT if k in row),
            flush=True,
        )
    return {"images": sizes, "variations": rows}


STEPS: dict[str, Callable[[Segmenter, Given], Result]] = {
    "masks": masks,
    "boxes": boxes,
    "phantom": phantom,
    "robust": robust,
}
SHORT = {
    "cell_iou": "cell",
    "cell_iou_min": "min",
    "cells_poor": "under.70",
    "nucleus_iou": "nucleus",
    "bccd_rbc_recall": "BCCD rbc",
    "bccd_wbc_recall": "wbc",
    "bccd_plt_recall": "plt",
    "phantom_cell_iou": "phantom cell",
    "phantom_rbc_recall": "rbc recall",
    "phantom_rbc_precision": "prec",
}


def show(result: Result, *names: str) -> None:
    """Print some of the figures, one line each."""
    for name in names:
        value = result[name]
        for key, figure in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{name} {key}: {json.dumps(figure)}")


if __name__ == "__main__":
    main()
