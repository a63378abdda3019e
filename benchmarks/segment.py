"""How well and how fast a segmenter works: one command, one JSON file a step.

    python benchmarks/segment.py masks          # 50 hand-drawn cells
    python benchmarks/segment.py boxes          # recall on BCCD's boxes
    python benchmarks/segment.py phantom        # everything, exactly, on drawn images
    python benchmarks/segment.py robust         # the same under 26 changes of the images
    python benchmarks/segment.py robust --only cells --variation "focus blur 2 px"
    python benchmarks/segment.py speed          # images a second of one core
    python benchmarks/segment.py speed --beside ../older/src
    python benchmarks/segment.py draw           # masks to be judged, and their sheets
    python benchmarks/segment.py check          # are those masks still what the code gives?
    python benchmarks/segment.py judged         # what two judges said
    python benchmarks/segment.py page           # README.md from all of it

Each step prints its figures and writes ``STEP.json`` to ``--out`` (``out/segment``, which git
ignores; ``docs/results/segment`` for figures that are to be published). ``draw`` writes the tables
``drawn-objects.csv``, ``drawn-central.csv`` and ``drawn-controls.csv`` there, sheets and empty
judgements to ``--sheets``; ``judged`` reads ``judged-objects-1.csv``, ``judged-objects-2.csv`` and
the like beside the tables.
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
from segment_controls import draw_controls, judged_controls, read_controls
from segment_digest import behaviour_digest
from segment_draw import (
    PER_CLASS,
    POOL_IMAGES,
    draw_central,
    draw_objects,
    read_rows,
    refuse_existing,
    write_rows,
)
from segment_draw import check as check_rows
from segment_judged import judged, read_judgement
from segment_masks import measure_masks
from segment_page import page
from segment_phantom import measure_phantom
from segment_robust import load_truth, measure_robust
from segment_sheets import write_sheets
from segment_speed import measure_speed
from segment_variations import VARIATIONS

Given = argparse.Namespace
Result = dict[str, Any]


def main() -> None:
    """Run one step."""
    given = parser().parse_args()
    cv2.setNumThreads(1)
    if given.step == "page":
        (given.out / "README.md").write_text(page(given.out))
        return
    start = time.process_time()
    given.out.mkdir(parents=True, exist_ok=True)
    segmenter = SEGMENTERS[given.segmenter]()
    result = STEPS[given.step](segmenter, given)
    head = {
        "step": given.step,
        "segmenter": given.segmenter,
        "parameters": segmenter.parameters(),
        "behaviour": behaviour_digest(segmenter),
        "version": __version__,
    }
    target = given.out / f"{given.step}.json"
    target.write_text(json.dumps({**head, **result}, indent=1) + "\n")
    print(f"{target}: {time.process_time() - start:.0f} s of processor time")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("step", choices=(*STEPS, "page"))
    top.add_argument("--with", dest="segmenter", choices=SEGMENTERS, default="smear")
    top.add_argument("--data", type=Path, default=Path("../shared/data"))
    top.add_argument("-o", "--out", type=Path, default=Path("out/segment"))
    top.add_argument("--count", type=int, help="images to use (default: all, or 60 phantoms)")
    top.add_argument("--sheets", type=Path, default=Path("out/judge"), help="draw: sheets")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--beside", type=Path, help="speed: src of another checkout, timed in turn")
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


def speed(segmenter: Segmenter, given: Given) -> Result:
    """Images a second; ``--count`` is per class."""
    result = measure_speed(segmenter, given.data, given.count, beside=given.beside)
    show(result, *result)
    return result


def draw(segmenter: Segmenter, given: Given) -> Result:
    """Masks to be judged; ``--count`` is images of a source, and a tenth of it a class."""
    for name in (*DRAWS, "controls"):
        refuse_existing(given.out / f"drawn-{name}.csv")
    per_class = PER_CLASS if given.count is None else max(1, given.count // 10)
    drawn = {
        "objects": draw_objects(segmenter, given.data, given.count or POOL_IMAGES, seed=given.seed),
        "central": draw_central(segmenter, given.data, per_class, seed=given.seed),
    }
    for name, rows in drawn.items():
        write_rows(given.out / f"drawn-{name}.csv", rows)
        for path in write_sheets(rows, segmenter, given.data, given.sheets, name):
            print(path)
    controls = draw_controls(given.data, given.sheets, seed=given.seed)
    write_rows(given.out / "drawn-controls.csv", controls)
    counts = {name: len(rows) for name, rows in drawn.items()} | {"controls": len(controls)}
    return {"seed": given.seed, "pool_images": given.count or POOL_IMAGES, **counts}


def check(segmenter: Segmenter, given: Given) -> Result:
    """Whether the drawn masks are still what the code gives."""
    result = {
        name: check_rows(read_rows(given.out / f"drawn-{name}.csv"), segmenter, given.data)
        for name in DRAWS
    }
    for name, states in result.items():
        print(name, {state: len(numbers) for state, numbers in states.items()})
    return result


def judgements(segmenter: Segmenter, given: Given) -> Result:
    """What the judges said."""
    result: Result = {}
    for name in DRAWS:
        files = [given.out / f"judged-{name}-{judge}.csv" for judge in (1, 2)]
        if files[0].exists():
            rows = read_rows(given.out / f"drawn-{name}.csv")
            numbers = {row.number for row in rows}
            said = [read_judgement(file, numbers) for file in files if file.exists()]
            result[name] = judged(rows, said[0], said[1] if len(said) > 1 else None)
            show(result[name], *result[name])
    table = given.out / "drawn-controls.csv"
    files = [given.out / f"judged-controls-{judge}.csv" for judge in (1, 2)]
    if table.exists() and all(file.exists() for file in files):
        controls = read_controls(table)
        numbers = {control.number for control in controls}
        result["controls"] = judged_controls(
            controls, *(read_judgement(file, numbers) for file in files)
        )
        show(result["controls"], *result["controls"])
    return result


STEPS: dict[str, Callable[[Segmenter, Given], Result]] = {
    "masks": masks,
    "boxes": boxes,
    "phantom": phantom,
    "robust": robust,
    "speed": speed,
    "draw": draw,
    "check": check,
    "judged": judgements,
}
DRAWS = ("objects", "central")
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
