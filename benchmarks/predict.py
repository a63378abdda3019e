"""How right and how fast the reader is, on real images it learned nothing from.

    python benchmarks/predict.py cells fields others speed page --split out/real/split3

Steps can be run one by one, and again: readings are kept below ``--kept``. ``precision --run RUN``
sets the network in 32 and in 8 bits side by side; ``unfamiliar --left-out FOLDER`` judges what runs
of ``left_out.py`` make of the class they never saw.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from naturalize import classify, images
from naturalize.artefact import open_artefact
from naturalize.classify.field import read_field
from naturalize.classify.reader import Reader
from naturalize.datasets.manifest import read_sample
from naturalize.split.split import RealSplit
from predict_cells import mean_interval, read_kept, scores
from predict_fields import measure_fields
from predict_page import page
from predict_precision import cpu_seconds, measure_precision

OUT = Path(__file__).parents[1] / "docs/results/predict"
DATA = Path(__file__).parents[1] / "../shared/data"
COARSE = {"ig/IG_": ("PMY", "MY", "MMY"), "neutrophil/NEUTROPHIL_": ("BNE", "SNE")}
MASKS = {"1": ("BNE", "SNE"), "2": ("LY",), "3": ("MO",), "4": ("EO",), "5": ("BA",)}
TIMED = 40


def main() -> None:
    """Run the steps asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("steps", nargs="+", choices=[*STEPS, "page"])
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--reader", type=Path, help="By default the shipped one.")
    parser.add_argument("--run", type=Path, help="For precision: what the reader was made of.")
    parser.add_argument("--left-out", type=Path, help="For unfamiliar: made by left_out.py.")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--kept", type=Path, default=Path("out/predict"))
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    reader = classify.load(asked.reader)
    for step in asked.steps:
        if step == "page":
            (OUT / "README.md").write_text(page(OUT))
            continue
        found = {"reader": {"id": reader.id, **reader.info.about}, **STEPS[step](reader, asked)}
        (OUT / f"{step}.json").write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found, indent=1))


def cells(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Score single cells: all real test images, segmented and centred."""
    split = RealSplit.load(open_artefact(asked.split, "split"))
    samples = {sample.id: sample for sample in split.test}
    names, truth = list(samples), [sample.label for sample in split.test]
    groups = [sample.group for sample in split.test]

    def read(name: str) -> images.Rgb:
        return read_sample(split.root, samples[name])

    found: dict[str, Any] = {"split": split.id}
    for how in ("found", "centred"):
        entries = read_kept(reader, names, read, asked.kept / "test", centred=how == "centred")
        found[how] = scores(entries, truth, groups, reader)
    return found


def fields(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Read mosaics of test images, whose differential is known."""
    return measure_fields(RealSplit.load(open_artefact(asked.split, "split")), reader)


def others(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Read images of coarse labels, and CellaVision images of another source."""
    root = asked.data / "PBC_dataset_normal_DIB"
    found: dict[str, Any] = {}
    for prefix, allowed in COARSE.items():
        folder, start = prefix.split("/")
        names = [f"{folder}/{file.name}" for file in sorted((root / folder).glob(f"{start}*"))]
        found[start.rstrip("_")] = _coarse(
            reader, names, root, asked.kept / start, [allowed] * len(names)
        )
    with (asked.data / "wbc_masks/labels.csv").open() as stream:
        rows = [tuple(row) for row in csv.reader(stream)][1:]
    names = [name for name, _ in rows]
    allowed = [MASKS[number] for _, number in rows]
    found["wbc_masks"] = _coarse(
        reader, names, asked.data / "wbc_masks", asked.kept / "masks", allowed
    )
    return found


def _coarse(
    reader: Reader,
    names: Sequence[str],
    root: Path,
    kept: Path,
    allowed: Sequence[tuple[str, ...]],
) -> dict[str, Any]:
    """Score readings where only a group of classes is known to be right."""
    entries = read_kept(reader, names, lambda name: images.read(root / name), kept, centred=False)
    pairs = list(zip(entries, allowed, strict=True))
    right = np.array([entry["label"] in group for entry, group in pairs])
    held = np.array([bool(set(entry["set"]) & set(group)) for entry, group in pairs])
    review = np.array([entry["review"] for entry in entries])
    alone = np.arange(len(entries))
    return {
        "n": len(entries),
        "accuracy": mean_interval(right, alone),
        "accuracy_without_reason": mean_interval(right[~review], alone[~review]),
        "set_holds_the_class": mean_interval(held, alone),
        "review": round(float(review.mean()), 3),
        "unfamiliar": round(
            float(np.mean(["unfamiliar cell" in e["reasons"] for e in entries])), 3
        ),
        "read_as": {
            "/".join(group): dict(Counter(e["label"] or "none" for e, g in pairs if g == group))
            for group in sorted(set(allowed))
        },
    }


def precision(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Set the network of ``--run`` in 32 and in 8 bits side by side on centred test images."""
    if asked.run is None:
        raise SystemExit("precision needs --run, the run the reader was made of")
    split = RealSplit.load(open_artefact(asked.split, "split"))
    return measure_precision(split, reader, open_artefact(asked.run), asked.kept)


def unfamiliar(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Judge scores of unfamiliarity by classes that small runs never saw."""
    from predict_unfamiliar import measure_unfamiliar

    if asked.left_out is None:
        raise SystemExit("unfamiliar needs --left-out, the folder left_out.py wrote")
    whole = RealSplit.load(open_artefact(asked.split, "split"))
    return measure_unfamiliar(whole, asked.left_out, asked.kept / "left-out")


def speed(reader: Reader, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure processor time of one core, start-up and memory."""
    split = RealSplit.load(open_artefact(asked.split, "split"))
    step = len(split.test) // TIMED
    files = [(split.root / sample.id).read_bytes() for sample in split.test[::step][:TIMED]]
    field = images.read(sorted((asked.data / "BCCD/JPEGImages").glob("*.jpg"))[0])

    def single(centred: bool) -> None:
        reader.predict_all([images.decode(data) for data in files], centred=centred)

    seconds = {
        "cell_segmented": cpu_seconds(partial(single, False)) / len(files),
        "cell_centred": cpu_seconds(partial(single, True)) / len(files),
        "field_640x480": cpu_seconds(lambda: read_field(reader, field)),
    }
    return {
        "milliseconds_of_one_core": {k: round(1e3 * v, 1) for k, v in seconds.items()},
        "images_a_second_of_two_cores": {k: round(2 / v, 1) for k, v in seconds.items()},
        **_started(split.root / split.test[0].id),
    }


def _started(picture: Path) -> dict[str, float]:
    """Return what it costs to load the reader and read one picture in a new process."""
    code = (
        "import sys, time; from pathlib import Path; from naturalize import classify, images;"
        "classify.load().predict(images.read(Path(sys.argv[1])));"
        "told = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0];"
        "print(time.process_time(), int(told) / 1024)"
    )
    command = [sys.executable, "-c", code, str(picture)]
    told = [
        subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        for _ in range(3)
    ]
    seconds, mebibytes = np.array(told, float).min(axis=0)
    return {"start_up_cpu_seconds": round(seconds, 2), "peak_mebibytes": round(mebibytes)}


STEPS: dict[str, Callable[[Reader, argparse.Namespace], dict[str, Any]]] = {
    "cells": cells,
    "fields": fields,
    "others": others,
    "precision": precision,
    "speed": speed,
    "unfamiliar": unfamiliar,
}

if __name__ == "__main__":
    main()
