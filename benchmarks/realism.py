"""What gives composites away: the steps that were meant to help, and parts of the picture alone.

    naturalize cut out/real/split -o out/real/bank
    naturalize audit out/real/bank --recipe naturalize -o out/real/audit
    python benchmarks/realism.py ladder out/real/bank -o docs/results/realism
    python benchmarks/realism.py parts out/real/bank -o docs/results/realism
    python benchmarks/realism.py hits out/real/bank -o out/realism

``ladder`` and ``parts`` write figures only, no pixel; ``hits`` draws the pictures of the second
pool that the frozen probe is surest of, for a folder git ignores.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import open_artefact
from naturalize.audit.auc import auc
from naturalize.audit.crop_probe import CropProbe
from naturalize.audit.frozen_probe import FrozenProbe
from naturalize.audit.make_audit import Trials
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.plate import take_plate
from naturalize.images import Rgb, decode, encode_jpeg, encode_png
from naturalize.optics import find_slide, fit_plate
from naturalize.seeds import child

Pools = list[list[Rgb]]
BASE = {
    "layout": "random", "stain": "any", "jpeg_grid": False, "soft_cuts": False, "halo": False,
    "turns": True, "overlap": 0.04, "encode": {"quality": 75},
}  # fmt: skip
STEPS: dict[str, dict[str, Any]] = {
    "cells from anywhere, at random": {},
    "one stain an image": {"stain": "one"},
    "red cells laid out as in one real image": {"layout": "as observed", "overlap": 0.45},
    "cutouts on one JPEG grid": {"jpeg_grid": True},
    "final encode at quality 95": {"encode": {"quality": 95}},
    "soft edges where a neighbour was cut off": {"soft_cuts": True},
    "cells neither turned nor flipped": {"turns": False},
    "halo kept": {"halo": True},
    "surroundings kept from one real image": {"surroundings": "kept", "places": "any"},
    "density varied by a twentieth": {
        "appearance": {"density": 0.05, "density_per_channel": 0.02},
    },
    "surroundings from an image of the cell's class": {"places": "class"},
    "control: a cell put back into its own image": {"surroundings": "own", "appearance": {}},
}
"""Each step on top of those before it."""


def main() -> None:
    """Measure the ladder or the parts, or draw the surest hits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("ladder", "parts", "hits"))
    parser.add_argument("bank", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300, help="pictures of each kind a pool")
    parser.add_argument("--recipe", default="naturalize", help="parts, hits: of this recipe")
    parser.add_argument("--step", type=int, action="append", help="ladder: these steps alone")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "ladder":
        ladder(args.bank, args.out / "ladder.json", args.count, args.step)
    elif args.what == "parts":
        parts(args.bank, args.out / "parts.json", args.count, load_recipe(args.recipe))
    else:
        hits(args.bank, args.out, args.count, load_recipe(args.recipe))


def ladder(bank: Path, file: Path, count: int, only: Sequence[int] | None) -> None:
    """Measure each step with both probes; figures of steps left out are kept."""
    found = json.loads(file.read_text()) if file.exists() else {}
    changes: dict[str, Any] = dict(BASE)
    for number, (name, change) in enumerate(STEPS.items()):
        changes |= change
        if only and number not in only:
            continue
        recipe = Recipe.model_validate(load_recipe("recomposed").model_dump() | changes)
        trials = Trials(open_artefact(bank, "bank"), recipe, count=count, seed=0)
        real, made = trials.real(), trials.made(recipe.name)
        found[name] = {
            probe.name: figure(told(probe, real, made)) for probe in (FrozenProbe(), CropProbe())
        }
        print(name, found[name], flush=True)
        file.write_text(json.dumps(found, indent=1) + "\n")


def parts(bank: Path, file: Path, count: int, recipe: Recipe) -> None:
    """Let the frozen probe judge parts of the pictures, and real images with one thing changed."""
    trials = Trials(open_artefact(bank, "bank"), recipe, count=count, seed=0)
    real, made = trials.real(), trials.made(recipe.name)
    encode = partial(again, quality=recipe.encode.quality)
    pairs: dict[str, tuple[Pools, Pools]] = {
        "whole picture": (real, made),
        "surroundings: the middle 200 px grey": (each(real, blank), each(made, blank)),
        "cell: the middle 120 px alone": (each(real, middle), each(made, middle)),
        "layout and colour: shrunk to 90 px": (each(real, shrink), each(made, shrink)),
        "real images, bare slide redrawn": (real, each(real, partial(redrawn, encode=encode))),
        "real images, JPEG grid moved": (
            each(real, lambda rgb: encode(rgb[:-3, :-5])),
            each(real, lambda rgb: encode(rgb[3:, 5:])),
        ),
    }
    found = {}
    for name, pair in pairs.items():
        found[name] = figure(told(FrozenProbe(), *pair))
        print(name, found[name], flush=True)
    found |= by_clumps(bank, trials, real, made)
    file.write_text(json.dumps(found, indent=1) + "\n")


def by_clumps(bank: Path, trials: Trials, real: Pools, made: Pools) -> dict[str, Any]:
    """Judge whole pictures once more, real ones parted by how many red cells lie in clumps."""
    loaded = CutoutBank.load(open_artefact(bank, "bank"))
    clumped = Counter(
        refused.sample_id
        for refused in loaded.turned_down()
        if refused.kind == "RBC" and refused.refusal.reason in ("touching", "overlap")
    )
    counts = np.array([clumped[sample.id] for sample in trials.judged()])
    scores_real, scores_made = told(FrozenProbe(), real, made)
    found = {}
    for name, chosen in (("none", counts == 0), ("5 or more", counts >= 5)):
        scores = scores_real[chosen], scores_made
        found[f"real images with red cells in clumps: {name}"] = figure(scores)
        print(name, found[f"real images with red cells in clumps: {name}"], flush=True)
    return found


def hits(bank: Path, out: Path, count: int, recipe: Recipe, shown: int = 12) -> None:
    """Draw the composites and the real images that the frozen probe is surest of."""
    trials = Trials(open_artefact(bank, "bank"), recipe, count=count, seed=0)
    real, made = trials.real(), trials.made(recipe.name)
    scores_real, scores_made = told(FrozenProbe(), real, made)
    for name, pictures, order in (
        ("surely-real", real[1], np.argsort(scores_real)),
        ("surely-made", made[1], np.argsort(-scores_made)),
        ("passed-as-real", made[1], np.argsort(scores_made)),
    ):
        chosen = [pictures[i] for i in order[:shown]]
        rows = [np.concatenate(chosen[i : i + 4], axis=1) for i in range(0, len(chosen), 4)]
        (out / f"{name}.png").write_bytes(encode_png(np.concatenate(rows)))


def told(probe: Any, real: Pools, made: Pools) -> list[NDArray[np.float64]]:
    """Return scores of the real and the made pictures of the second pool."""
    (learn_real, real_seen), (learn_made, made_seen) = (
        [probe.look(pictures) for pictures in pools] for pools in (real, made)
    )
    scores: list[NDArray[np.float64]] = probe.scores(
        learn_real, learn_made, (real_seen, made_seen), seed=0
    )
    return scores


def figure(scores: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """Return the AUC with its interval, and how many pictures it is about."""
    real, made = scores
    found = auc(real, made, rng=child(0, "audit", "bootstrap"))
    ends = {k: round(getattr(found, k), 3) for k in ("value", "low", "high")}
    return ends | {"real": len(real), "made": len(made)}


def each(pools: Pools, change: Callable[[Rgb], Rgb]) -> Pools:
    """Return every picture changed."""
    return [[change(rgb) for rgb in pictures] for pictures in pools]


def blank(rgb: Rgb) -> Rgb:
    """Return the picture with its middle grey."""
    out = rgb.copy()
    out[80:280, 80:280] = 200
    return out


def middle(rgb: Rgb) -> Rgb:
    """Return the middle of the picture."""
    return rgb[120:240, 120:240]


def shrink(rgb: Rgb) -> Rgb:
    """Return the picture at 90 px a side: no grain, no edges, no blocks."""
    return np.asarray(cv2.resize(rgb, (90, 90), interpolation=cv2.INTER_AREA), np.uint8)


def again(rgb: Rgb, *, quality: int) -> Rgb:
    """Return the picture encoded once more."""
    return decode(encode_jpeg(np.ascontiguousarray(rgb), quality=quality))


def redrawn(rgb: Rgb, *, encode: Callable[[Rgb], Rgb]) -> Rgb:
    """Return a real picture whose bare slide is its plate with noise tiles, all else untouched."""
    slide, _ = find_slide(rgb)
    inner = cv2.erode(slide.astype(np.uint8), np.ones((5, 5), np.uint8))
    plate = take_plate("", rgb, inner > 0, fit_plate(rgb, slide))
    if not hasattr(plate, "tiles"):
        return encode(rgb)
    shape = rgb.shape[:2]
    drawn = plate.surface.evaluate(*shape) + plate.noise(*shape, rng=child(0, "redrawn"))
    weight = cv2.GaussianBlur(inner.astype(np.float32), (0, 0), 1.0)[..., None]
    mixed = np.rint(rgb * (1 - weight) + drawn * weight)
    return encode(np.clip(mixed, 0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
