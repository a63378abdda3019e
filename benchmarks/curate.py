"""How well curation finds what it should, on images changed on purpose and on the real ones.

    naturalize curate out/real/dataset -o out/curate/curated
    python benchmarks/curate.py recall --data ../shared/data --out docs/results/curate
    python benchmarks/curate.py pairs --curated out/curate/curated --out docs/results/curate \\
        --sheets out/curate/sheets
    python benchmarks/curate.py leaks --curated out/curate/curated

``recall`` cuts overlapping crops out of real scenes, stores images again in other ways, blurs and
brightens some, runs the whole of ``curate`` over them and counts what it found. ``pairs`` lists the
pairs found in real data by name and draws each with its overlap laid side by side, to be judged by
eye. ``leaks`` counts the pairs that splits made without leak groups would have parted.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.artefact import open_artefact
from naturalize.curate.clean import curate
from naturalize.curate.registration import detail, register
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_sample, read_table, write_table
from naturalize.images import Rgb
from naturalize.split.by_group import assign_sides
from naturalize.split.make_split import FRACTIONS

BANDS = (0.4, 0.5, 0.7, 1.0)
SHEET_ROWS = 10
TILE_PX = 260


def main() -> None:
    """Run one of the three measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["recall", "pairs", "leaks"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--curated", type=Path, default=Path("out/curate/curated"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/curate"))
    parser.add_argument("--sheets", type=Path, default=Path("out/curate/sheets"))
    parser.add_argument("--images", type=int, default=600, help="PBC images to change on purpose")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "recall":
        result = recall(given.data, given.images, given.seed)
        (given.out / "recall.json").write_text(json.dumps(result, indent=1) + "\n")
    elif given.what == "pairs":
        result = pairs(given.curated, given.out / "same_field.csv", given.sheets)
    else:
        result = leaks(given.curated, splits=200)
    print(json.dumps(result))


def wilson(hits: int, of: int) -> list[float]:
    """Return the 95% Wilson interval of a share."""
    z = 1.96
    middle = (hits + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(hits * (of - hits) / of + z * z / 4)
    return [round(middle - half, 4), round(middle + half, 4)]


def share(hits: int, of: int) -> dict[str, object]:
    """Return hits, trials, their ratio and its interval."""
    return {"hits": hits, "of": of, "share": round(hits / of, 4), "wilson95": wilson(hits, of)}


@dataclass(frozen=True)
class Scene:
    """A real image, the side of the crops to take from it, and what its set is called."""

    path: Path
    side_px: int


def recall(data: Path, count: int, seed: int) -> dict[str, object]:
    """Measure each finding on images changed on purpose."""
    pbc = data / "PBC_dataset_normal_DIB"
    rng = seeds.child(seed, "curate benchmark")
    every = sorted(pbc.glob("*/[A-Z]*.jpg"))
    chosen = [every[i] for i in rng.choice(len(every), count, replace=False)]
    fields = sorted((data / "BCCD" / "JPEGImages").glob("*.jpg"))
    return {
        "same_field": {
            "PBC, crops of 240 px": crops([Scene(p, 240) for p in chosen], rng),
            "BCCD, crops of 300 px": crops([Scene(p, 300) for p in fields], rng),
        },
        "near_duplicate": stored_again(chosen, rng),
        "focus, exposure": spoilt(chosen, rng),
    }


def crops(scenes: list[Scene], rng: np.random.Generator) -> dict[str, object]:
    """Cut two overlapping crops out of each scene and count the pairs found again."""
    files: dict[str, bytes] = {}
    overlap: dict[frozenset[str], float] = {}
    for i, scene in enumerate(scenes):
        one, other, shared = two_crops(images.read(scene.path), scene.side_px, rng)
        names = f"first/{i}.jpg", f"second/{i}.jpg"
        files[names[0]] = images.encode_jpeg(one, quality=90)
        files[names[1]] = changed(other, rng)
        overlap[frozenset(names)] = shared
    found = pairs_found(files, PAIRED)
    bands = {}
    for low, high in pairwise(BANDS):
        within = [pair for pair, value in overlap.items() if low <= value < high]
        hits = sum(pair in found for pair in within)
        bands[f"overlap {low:.0%} to {high:.0%}"] = share(hits, len(within))
    right = len(found & overlap.keys())
    others = sorted({scenes_of(pair, scenes) for pair in found - overlap.keys()})
    return {"recall": share(right, len(overlap)), **bands, "found": len(found), "others": others}


def scenes_of(pair: frozenset[str], scenes: list[Scene]) -> tuple[str, ...]:
    """Return the scenes two crops were taken from."""
    return tuple(sorted({scenes[int(Path(name).stem)].path.stem for name in pair}))


PAIRED = ("near_duplicate", "same_field")


def two_crops(rgb: Rgb, side: int, rng: np.random.Generator) -> tuple[Rgb, Rgb, float]:
    """Return two crops that share at least 40% and at most 95% of their area, and how much."""
    room = np.array(rgb.shape[:2]) - side + 1
    while True:
        (top, left), (second_top, second_left) = rng.integers(0, room, (2, 2)).tolist()
        apart = abs(top - second_top), abs(left - second_left)
        shared = max(0, side - apart[0]) * max(0, side - apart[1]) / side**2
        if BANDS[0] <= shared <= 0.95:
            break
    first = rgb[top : top + side, left : left + side]
    return first, rgb[second_top : second_top + side, second_left : second_left + side], shared


def changed(rgb: Rgb, rng: np.random.Generator) -> bytes:
    """Return a picture brightened or darkened a little and encoded at another quality."""
    gained = (rgb * rng.uniform(0.85, 1.1)).clip(0, 255).astype(np.uint8)
    chroma: images.Chroma = "4:2:0" if rng.random() < 0.5 else "4:4:4"
    return images.encode_jpeg(gained, quality=int(rng.integers(60, 96)), chroma=chroma)


def pairs_found(files: dict[str, bytes], kinds: tuple[str, ...]) -> set[frozenset[str]]:
    """Curate these files and return the pairs that findings of these kinds name."""
    rows = findings_of(files)
    return {frozenset((r["path"], r["other_path"])) for r in rows if r["kind"] in kinds}


def findings_of(files: dict[str, bytes]) -> list[dict[str, str]]:
    """Import and curate these files and return the findings."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, data in files.items():
            (home / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (home / "in" / name).write_bytes(data)
        made = curate(import_dataset(home / "in", home / "dataset"), home / "curated")
        return read_table(made.path / "findings.csv")


def resized(rgb: Rgb, factor: float) -> Rgb:
    """Return the picture at another size."""
    return np.asarray(
        cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


COPIES: dict[str, Callable[[Rgb, np.random.Generator], bytes]] = {
    "brightness and JPEG": changed,
    "one of seven other orientations, brightness and JPEG": lambda rgb, rng: changed(
        turned(rgb, int(rng.integers(1, 8))), rng
    ),
    "resized to 60-150%, brightness and JPEG": lambda rgb, rng: changed(
        resized(rgb, rng.uniform(0.6, 1.5)), rng
    ),
    "JPEG quality 30": lambda rgb, rng: images.encode_jpeg(rgb, quality=30, chroma="4:2:0"),
}


def turned(rgb: Rgb, orientation: int) -> Rgb:
    """Return one of the eight orientations of a picture."""
    mirrored = rgb[:, ::-1] if orientation >= 4 else rgb
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4))


def stored_again(paths: list[Path], rng: np.random.Generator) -> dict[str, object]:
    """Store each image a second time, in one of several ways, and count those found again."""
    files: dict[str, bytes] = {}
    how: dict[frozenset[str], str] = {}
    for i, path in enumerate(paths):
        way = list(COPIES)[i % len(COPIES)]
        names = f"first/{i}.jpg", f"second/{i}.jpg"
        files[names[0]] = path.read_bytes()
        files[names[1]] = COPIES[way](images.read(path), rng)
        how[frozenset(names)] = way
    found = pairs_found(files, ("near_duplicate",))
    total, hits = Counter(how.values()), Counter(how[pair] for pair in found if pair in how)
    right = sum(hits.values())
    return {
        **{way: share(hits[way], total[way]) for way in COPIES},
        "found": len(found),
        "right": right,
    }


SPOILT: dict[str, tuple[str, Callable[[Rgb], NDArray[np.generic]]]] = {
    "blurred, sigma 1.5 px": ("focus", lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1.5)),
    "blurred, sigma 2.5 px": ("focus", lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 2.5)),
    "darkened to 80%": ("exposure", lambda rgb: rgb * 0.8),
    "brightened to 125%, clipped": ("exposure", lambda rgb: rgb * 1.25),
}


def spoilt(paths: list[Path], rng: np.random.Generator) -> dict[str, object]:
    """Spoil one image in ten and count those found, and the untouched ones found as well."""
    files: dict[str, bytes] = {}
    truth: dict[str, str] = {}
    for i, path in enumerate(paths):
        name = f"{path.parent.name}/{i}.jpg"
        files[name] = path.read_bytes()
        if i % 10 == 0:
            way = list(SPOILT)[i // 10 % len(SPOILT)]
            worse = np.clip(SPOILT[way][1](images.read(path)), 0, 255).astype(np.uint8)
            files[name], truth[name] = images.encode_jpeg(worse), way
    found = {(r["path"], r["kind"]) for r in findings_of(files)}
    total = Counter(truth.values())
    hits = Counter(way for name, way in truth.items() if (name, SPOILT[way][0]) in found)
    wrong = [p for p, kind in found if kind in ("focus", "exposure") and p not in truth]
    untouched = len(files) - len(truth)
    ways = {way: share(hits[way], total[way]) for way in SPOILT}
    return {**ways, "untouched images flagged": share(len(wrong), untouched)}


SHIFT = re.compile(r"shifted by (-?\d+) rows and (-?\d+) columns")


def pairs(curated: Path, table: Path, sheets: Path) -> dict[str, object]:
    """List the pairs of one slide region with figures recomputed here, and draw them."""
    artefact = open_artefact(curated, "curated")
    dataset = Manifest.load(artefact.input("dataset"))
    by_id = {sample.id: sample for sample in dataset.samples}
    rows, tiles = [], []
    for found in read_table(artefact.path / "findings.csv"):
        if found["kind"] not in PAIRED:
            continue
        one, other = (by_id[found[key]] for key in ("path", "other_path"))
        match = SHIFT.search(found["reason"])
        down, right = (int(value) for value in match.groups()) if match else (0, 0)
        first, second = read_sample(dataset.root, one), read_sample(dataset.root, other)
        shift = register(first[..., 1], second[..., 1], down, right)
        fine = register(detail(first[..., 1]), detail(second[..., 1]), down, right)
        figures = f"{shift.correlation:.4f}", f"{fine.correlation:.4f}", f"{shift.overlap:.3f}"
        rows.append((one.id, other.id, *figures, down, right))
        tiles.append(side_by_side(first, second, down, right, f"{len(rows)} {one.id} {other.id}"))
    columns = ["path", "other_path", "correlation", "detail", "overlap", "rows", "columns"]
    table.write_text(write_table(columns, rows))
    sheets.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(tiles), SHEET_ROWS)):
        sheet = np.vstack(tiles[start : start + SHEET_ROWS])
        (sheets / f"pairs-{number}.png").write_bytes(images.encode_png(sheet))
    labels = Counter(frozenset((by_id[r[0]].label, by_id[r[1]].label)) for r in rows)
    return {
        "pairs": len(rows),
        "by class": {"/".join(sorted(k)): n for k, n in labels.most_common()},
        "lowest correlation": min(r[2] for r in rows),
        "lowest detail": min(r[3] for r in rows),
    }


def side_by_side(one: Rgb, other: Rgb, rows: int, columns: int, title: str) -> Rgb:
    """Return both whole images, the overlap cut out of each, and the difference of the two."""
    top, left = max(0, -rows), max(0, -columns)
    bottom = min(one.shape[0], other.shape[0] - rows)
    right = min(one.shape[1], other.shape[1] - columns)
    a = one[top:bottom, left:right]
    b = other[top + rows : bottom + rows, left + columns : right + columns]
    apart = (128 + (a.astype(int) - b)).clip(0, 255).astype(np.uint8)
    strip = np.hstack([fitted(picture) for picture in (one, other, a, b, apart)])
    cv2.putText(strip, title, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def fitted(rgb: Rgb) -> Rgb:
    """Return the picture on a white square tile."""
    scale = (TILE_PX - 8) / max(rgb.shape[:2])
    small = np.asarray(
        cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
    )
    tile = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
    tile[16 : 16 + small.shape[0], : small.shape[1]][: TILE_PX - 16] = small[: TILE_PX - 16]
    return tile


def leaks(curated: Path, splits: int) -> dict[str, object]:
    """Count pairs that stand on two sides when the split knows identical bytes only."""
    artefact = open_artefact(curated, "curated")
    samples = Manifest.load(artefact).samples
    present = {sample.id for sample in samples}
    rows = read_table(artefact.path / "findings.csv")
    named = [(r["kind"], r["path"], r["other_path"]) for r in rows if r["other_path"]]
    linked = [row for row in named if row[1] in present and row[2] in present]
    counted: defaultdict[str, list[int]] = defaultdict(list)
    for sides in naive_splits(curated, splits):
        parted = Counter(kind for kind, one, other in linked if sides[one] != sides[other])
        for kind in ("duplicate", *PAIRED):
            counted[kind].append(parted[kind])
    return {
        kind: {"pairs": sum(row[0] == kind for row in linked), "parted": span(values)}
        for kind, values in counted.items()
    }


def naive_splits(curated: Path, splits: int) -> Iterator[dict[str, str]]:
    """Yield splits in which each image is a group of its own."""
    samples = Manifest.load(open_artefact(curated, "curated")).samples
    alone = [sample.model_copy(update={"group": sample.id}) for sample in samples]
    for seed in range(splits):
        yield assign_sides(alone, seed=seed, fractions=FRACTIONS)


def span(values: list[int]) -> dict[str, float]:
    """Return mean and extremes."""
    return {"mean": round(float(np.mean(values)), 1), "least": min(values), "most": max(values)}


if __name__ == "__main__":
    main()
