"""How fast composites are made, on one core, beside JPEG alone and a plain Pillow version.

    python benchmarks/compose.py BANK -o docs/results/compose
    python benchmarks/compose.py BANK -o docs/results/compose --memory 1000 10000 100000

Without BANK one is cut out of phantoms. Times are processor time of one process, its steps in turn,
several rounds, each with composites never made before, as training asks for them. ``speed.json``
and ``speed.md`` hold the figures; steps left out (``--skip``) keep those of the last
run on the same bank.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, features

from compose_page import page
from compose_processes import memory_after, speed_of_workers
from compose_steps import time_steps
from naturalize import __version__
from naturalize.artefact import Artefact, open_artefact
from naturalize.curate.clean import curate
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.phantom import write_phantom
from naturalize.split.make_split import make_split
from processor import processor

PARTS = ("steps", "workers", "memory")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bank", type=Path, nargs="?")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", help="what the bank is called on the page")
    parser.add_argument("--images", type=int, default=60, help="composites a step and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--phantoms", type=int, default=220, help="without BANK")
    parser.add_argument("--memory", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--skip", choices=PARTS, action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bank = open_artefact(args.bank) if args.bank else phantom_bank(Path(folder), args.phantoms)
        name = args.name or ("a bank of real images" if args.bank else "phantoms")
        file = args.out / "speed.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        new, old = measured(bank, args), found.get(name, {})
        same = old.get("bank") == new["bank"]
        found[name] = old | new if same else new
    args.out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=2) + "\n")
    (args.out / "speed.md").write_text(page(found))
    print(page(found))


def measured(bank: Artefact, args: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of the parts asked for."""
    found: dict[str, Any] = {"bank": about_bank(bank), "machine": about_machine()}
    if "steps" not in args.skip:
        found["steps"] = {
            recipe: time_steps(bank.path, recipe, args.images, args.rounds)
            for recipe in ("naturalize", "recomposed", "paper")
        }
    if "workers" not in args.skip:
        found["workers"] = speed_of_workers(bank.path, args.images * args.rounds)
    if "memory" not in args.skip:
        found["memory"] = memory_after(bank.path, sorted(args.memory))
    return found


def phantom_bank(folder: Path, count: int) -> Artefact:
    """Return a bank cut out of ``count`` phantoms."""
    curated = curate(write_phantom(folder / "dataset", count=count, seed=1), folder / "curated")
    return make_bank(make_split(curated, folder / "split", seed=1), folder / "bank")


def about_bank(bank: Artefact) -> dict[str, Any]:
    """Return what the bank holds."""
    loaded = CutoutBank.load(bank)
    return {"id": bank.id[:16], "cutouts": len(loaded.rows), "plates": len(loaded.plates)}


def about_machine() -> dict[str, Any]:
    """Return what was measured on, and how many processes wanted it (mean of a minute)."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "naturalize": __version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": Image.__version__,
        "libjpeg-turbo": features.version("libjpeg_turbo") or "none",
    }


if __name__ == "__main__":
    main()
