"""Can the eye tell composites from real images?

    python benchmarks/realism_eye.py draw out/real/bank -o out/eye --sheets out/judge
    python benchmarks/realism_eye.py judged -o out/eye

``draw`` shuffles real images of one donor pool with composites of the other, of the same classes,
and with hard cuts (blend ``alpha``), which must be told. ``judged`` reads what each reader said,
``judged-1.csv`` and so on (number, real: 1 or 0), and writes ``eye.json``: how many of each a
reader calls real, and whether composites and real images differ in that (Fisher's exact test).
Sheets show real images, so they go to a folder git ignores.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.stats import fisher_exact

from naturalize.artefact import open_artefact
from naturalize.audit.pictures import composed_pictures, real_pictures, two_draws
from naturalize.audit.pools import two_pools
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.bank import CutoutBank
from naturalize.errors import InputError
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from segment_agreement import share_interval
from segment_draw import write_rows
from segment_judged import agreement
from segment_sheets import write_pages

RECIPE, HARD_CUT = "naturalize", "alpha"
REAL = "real"
SIDE_PX, CAPTION_PX = 340, 18
COLUMNS, LINES = 3, 4


@dataclass(frozen=True)
class Shown:
    """One picture: its number on the sheets, what it is, and its class."""

    number: int
    what: str
    label: str


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("draw", "judged"))
    parser.add_argument("bank", type=Path, nargs="?")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--sheets", type=Path, default=Path("out/judge"))
    parser.add_argument("--count", type=int, default=60, help="real images, and as many composites")
    parser.add_argument("--cuts", type=int, default=20, help="hard cuts among them")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.step == "draw":
        draw(given)
    else:
        found = judged(given.out)
        (given.out / "eye.json").write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found, indent=1))


def draw(given: argparse.Namespace) -> None:
    """Write the sheets, and the key apart from them."""
    if given.bank is None:
        raise InputError("bank", "a folder written by cut", None)
    artefact = open_artefact(given.bank, "bank")
    split, seed = RealSplit.load(artefact.input("split")), given.seed
    pools = two_pools(CutoutBank.load(artefact), split.train, rng=child(seed, "eye", "pools"))
    samples, others = two_draws(pools[0], given.count, rng=child(seed, "eye", "draw"))
    recipe = load_recipe(RECIPE)
    hard = recipe.model_copy(update={"blend": HARD_CUT})
    cuts = others[: given.cuts]
    shown = [
        (REAL, samples, real_pictures(split.root, samples, recipe.encode)),
        (RECIPE, samples, composed_pictures(pools[1], samples, recipe, seed=seed)),
        (HARD_CUT, cuts, composed_pictures(pools[1], cuts, hard, seed=seed + 1)),
    ]
    all_of = [
        (what, sample.label, rgb)
        for what, some, pictures in shown
        for sample, rgb in zip(some, pictures, strict=True)
    ]
    order = child(seed, "eye", "order").permutation(len(all_of))
    rows = [Shown(n, *all_of[i][:2]) for n, i in enumerate(order, start=1)]
    write_rows(given.out / "drawn.csv", rows)
    about = {"bank": artefact.id, "seed": seed, "recipe": RECIPE}
    (given.out / "draw.json").write_text(json.dumps(about, indent=1) + "\n")
    given.sheets.mkdir(parents=True, exist_ok=True)
    tiles = [tile(n, all_of[i][2]) for n, i in enumerate(order, start=1)]
    for path in write_pages(tiles, given.sheets, "eye", columns=COLUMNS, lines=LINES):
        print(path)


def tile(number: int, rgb: Rgb) -> Rgb:
    """Return a picture under its number."""
    caption = np.full((CAPTION_PX, SIDE_PX, 3), 255, dtype=np.uint8)
    cv2.putText(caption, str(number), (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
    size = (SIDE_PX, SIDE_PX)
    picture = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.vstack([caption, picture])


def judged(folder: Path) -> dict[str, Any]:
    """Return how many pictures of each kind every reader calls real."""
    with (folder / "drawn.csv").open(newline="") as file:
        what = {int(row["number"]): row["what"] for row in csv.DictReader(file)}
    found: dict[str, Any] = json.loads((folder / "draw.json").read_text())
    files = sorted(folder.glob("judged-*.csv"))
    if not files:
        raise InputError(str(folder), "judged-1.csv and so on", "none")
    said = [read_said(file, set(what)) for file in files]
    for number, real in enumerate(said, start=1):
        found[f"reader {number}"] = called_real(what, real)
    if len(said) > 1:
        found["agreement"] = agreement(said[0], said[1])
    return found


def read_said(path: Path, wanted: set[int]) -> dict[int, bool]:
    """Read a table number,real; refused unless each number has a 0 or a 1."""
    with path.open(newline="") as file:
        given = {int(row["number"]): row["real"] for row in csv.DictReader(file)}
    if given.keys() != wanted or not set(given.values()) <= {"0", "1"}:
        raise InputError(str(path), "0 or 1 as real for each picture, and no more", "others")
    return {number: real == "1" for number, real in sorted(given.items())}


def called_real(what: dict[int, str], real: dict[int, bool]) -> dict[str, Any]:
    """Return the shares called real, and how likely chance gives such a difference."""
    counts = {}
    for kind in (REAL, RECIPE, HARD_CUT):
        some = [real[number] for number, own in what.items() if own == kind]
        counts[kind] = sum(some), len(some)
    tables = {
        kind: np.array([[k, n - k] for k, n in (counts[REAL], counts[kind])]) for kind in counts
    }
    return {kind: share_interval(*counts[kind]) for kind in counts} | {
        f"p, {kind}": round(float(fisher_exact(tables[kind]).pvalue), 4)
        for kind in (RECIPE, HARD_CUT)
    }


if __name__ == "__main__":
    main()
