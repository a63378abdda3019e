"""Time and memory of curation on as many images as the whole of PBC has.

    python benchmarks/curate_load.py fill --dataset out/real/dataset --images out/load/images
    python benchmarks/curate_load.py time --images out/load/images --out docs/results/curate

``fill`` copies a data set's images and, until there are ``--count``, adds mirrored copies of them
turned by 20 to 70 degrees and stored again: new pictures for every search, but of the same slides.
``time`` imports the folder, runs ``naturalize curate`` on it and writes ``load.json``. Nothing else
should run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import psutil

from naturalize import images, seeds
from naturalize.artefact import open_artefact
from naturalize.datasets.manifest import Manifest, read_sample, read_table
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.progress import bar

LEAST_TURN, MOST_TURN = 20.0, 70.0
QUALITY = 95
POLL_S = 0.5


def main() -> None:
    """Make the folder or take the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fill", "time"])
    parser.add_argument("--dataset", type=Path, default=Path("out/real/dataset"))
    parser.add_argument("--images", type=Path, default=Path("out/load/images"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/curate"))
    parser.add_argument("--count", type=int, default=17_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.what == "fill":
        manifest = Manifest.load(open_artefact(given.dataset, "dataset"))
        fill(manifest, given.images, given.count, seeds.child(given.seed, "load"))
    else:
        result = timed(given.images, given.workers)
        (given.out / "load.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result))


def fill(manifest: Manifest, folder: Path, count: int, rng: np.random.Generator) -> None:
    """Write ``count`` images in a folder per class: all there are, then turned ones of these."""
    samples = manifest.samples
    if folder.exists():
        shutil.rmtree(folder)
    for sample in bar(samples, len(samples), "copy"):
        target = place(folder, sample)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(manifest.root / sample.id, target)
    again = [samples[i] for i in rng.permutation(len(samples))[: max(0, count - len(samples))]]
    for sample in bar(again, len(again), "turn"):
        turned = turn(read_sample(manifest.root, sample), float(rng.uniform(LEAST_TURN, MOST_TURN)))
        target = place(folder, sample)
        stored = images.encode_jpeg(turned, quality=QUALITY, chroma="4:2:0")
        target.with_name(f"{target.stem}_turned.jpg").write_bytes(stored)


def place(folder: Path, sample: Sample) -> Path:
    """Return where an image is copied to."""
    return folder / sample.label / Path(sample.id).name


def turn(rgb: Rgb, degrees: float) -> Rgb:
    """Return an image mirrored and turned about its centre, with its own mirror image around."""
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(rgb[:, ::-1]),
            matrix,
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
    )


def timed(folder: Path, workers: int) -> dict[str, object]:
    """Import a folder and curate it, and say what that took."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        dataset, curated = Path(scratch, "dataset"), Path(scratch, "curated")
        started = time.monotonic()
        run(["import", str(folder), "-o", str(dataset), "--as", "folder"])
        importing = time.monotonic() - started
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        peak = run(["curate", str(dataset), "-o", str(curated), "--workers", str(workers)])
        wall = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        kinds = Counter(row["kind"] for row in read_table(curated / "findings.csv"))
        count = len(Manifest.load(open_artefact(dataset, "dataset")).samples)
    return {
        "images": count,
        "workers": workers,
        "cores": os.cpu_count(),
        "import_s": round(importing, 1),
        "curate_s": round(wall, 1),
        "curate_cpu_s": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "largest_process_mib": round(after.ru_maxrss / 1024),
        "all_processes_mib": round(peak / 2**20),
        "findings": dict(sorted(kinds.items())),
    }


def run(arguments: Sequence[str]) -> int:
    """Run a verb to its end and return the most bytes of memory its processes shared out.

    The proportional set size, which counts what processes share once; Linux alone tells it.
    """
    process = psutil.Popen([sys.executable, "-m", "naturalize", *arguments])
    peak = 0
    while process.poll() is None:
        peak = max(peak, proportional_bytes(process))
        time.sleep(POLL_S)
    if process.returncode:
        raise SystemExit(process.returncode)
    return peak


def proportional_bytes(process: psutil.Process) -> int:
    """Return the proportional set size of a process and of all it started."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss
    return total


if __name__ == "__main__":
    main()
