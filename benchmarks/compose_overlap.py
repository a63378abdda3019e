"""Does light multiply where red cells overlap? Measured on real overlaps, PBC and BCCD.

    python benchmarks/compose_overlap.py --data FOLDER -o docs/results/compose

A pair is a piece of stain that two red cells fill and nothing else. Each cell's free outline is
completed to an ellipse; the *lens* is where both ellipses lie, a fringe left out. A cell's optical
density is taken from its own part alone, as a function of the distance from its centre (in units of
its ellipse), and carried into the lens. ``overlap.json`` and ``README.md`` tell how far the grey
values predicted by each rule lie from those photographed; ``--sheet`` draws pairs to look at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from compose_overlap_page import page
from naturalize import images, seeds
from naturalize.optics import estimate_background, fit_plate, optical_density
from naturalize.segment import Mask
from naturalize.segment.smear import Smear
from segment_truth import FIELDS, pbc_sample

MAIN_SOURCE = (363, 360, 3)
LEAST_DEPTH = 0.12
"""Depth of the lens, relative to the cells' mean diameter, from which cells count as a pair."""
DEEP = 0.25
BINS = 24
CONTROLS = ("sum", "densest")
CONTROL_IMAGES = 90
"""About so many images give one cell each to a control."""
RULES = ("sum", "darker", "lighter", "densest")
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ellipse:
    """Centre (row, column), half axes along and across ``angle`` (radians), px."""

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float

    def radius(self, shape: tuple[int, ...]) -> Floats:
        """Return each pixel's distance from the centre, 1 on the ellipse; float32 (H, W)."""
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        y, x = y - self.centre[0], x - self.centre[1]
        along = x * np.cos(self.angle) + y * np.sin(self.angle)
        across = y * np.cos(self.angle) - x * np.sin(self.angle)
        return np.hypot(along / self.axes[0], across / self.axes[1]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two cells that overlap: the lens, the values seen in it, and those predicted by rule.

    ``single_error`` is the mean error in grey levels of a cell's profile on the cell itself,
    ``depth`` that of the lens relative to the cells' diameter, ``added`` the share of the smaller
    density that the lens shows above the larger: 1 where light multiplies.
    """

    name: str
    lens: Bools
    seen: NDArray[np.uint8]
    predicted: dict[str, Floats]
    single_error: float
    depth: float
    added: float
    rgb: images.Rgb


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    rng = seeds.child(given.seed, "overlap")
    sample = pbc_sample(given.data, given.per_class, rng=rng, sides=("train", "val", "test"))
    drawn = [path for some in sample.values() for path in some]
    main_source = [path for path in drawn if images.read(path).shape == MAIN_SOURCE]
    fields = sorted((given.data / FIELDS / "JPEGImages").glob("*.jpg"))
    result: dict[str, Any] = {"seed": given.seed}
    for name, paths in (("PBC, main source", main_source), ("BCCD", fields)):
        pairs = [pair for path in paths for pair in find_pairs(path.name, images.read(path))]
        result[name] = {"images": len(paths), "pairs": by_depth(pairs)}
        for rule in CONTROLS:
            made = [
                rgb
                for path in paths[:: max(1, len(paths) // CONTROL_IMAGES)]
                for rgb in controls(path, rule)
            ]
            found = [pair for rgb in made for pair in find_pairs(rule, rgb)]
            result[name][f"control {rule}"] = _figures(found)
        if given.sheet:
            target = given.sheet.with_stem(f"{given.sheet.stem}-{name[:4].lower()}")
            target.write_bytes(images.encode_png(draw(pairs)))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "overlap.json").write_text(json.dumps(result, indent=2) + "\n")
    (given.out / "README.md").write_text(page(result))
    print(page(result))


def find_pairs(name: str, rgb: images.Rgb) -> Iterator[Pair]:
    """Yield the pairs of one image."""
    masks = Smear().segment(rgb)
    bare = estimate_background(rgb)
    owner = np.zeros(rgb.shape[:2], np.int32)
    for number, mask in enumerate(masks, start=1):
        owner[mask.box.slices][mask.pixels] = number
    bare &= owner == 0
    density = optical_density(rgb, plate := fit_plate(rgb, bare).evaluate(*rgb.shape[:2]))
    _, pieces = cv2.connectedComponents((owner > 0).astype(np.uint8), connectivity=8)
    for piece in range(1, int(pieces.max()) + 1):
        numbers = [int(n) for n in np.unique(owner[pieces == piece])]
        if len(numbers) == 2:
            both = [masks[n - 1] for n in numbers]
            pair = _pair(name, rgb, density, plate, both)
            if pair is not None:
                yield pair


def _pair(
    name: str, rgb: images.Rgb, density: Floats, plate: Floats, masks: Sequence[Mask]
) -> Pair | None:
    """Return the pair two masks make, None where they do not overlap as told at the top."""
    if any(mask.kind != "RBC" or mask.touches_border for mask in masks):
        return None
    whole = [mask.to_image(rgb.shape) for mask in masks]
    outlines = [free_ellipse(own, other) for own, other in (whole, whole[::-1])]
    if outlines[0] is None or outlines[1] is None:
        return None
    radii = [outline.radius(rgb.shape) for outline in outlines if outline is not None]
    inside = [radius < 1 for radius in radii]
    union, stain = inside[0] | inside[1], whole[0] | whole[1]
    if (union & stain).sum() < 0.95 * (union | stain).sum() or not _has_notches(stain):
        return None
    lens = inside[0] & inside[1]
    depth = cv2.distanceTransform(lens.astype(np.uint8), cv2.DIST_L2, 5)
    diameter = 2 * np.sqrt(stain.sum() / 2 / np.pi)
    if 2 * depth.max() < LEAST_DEPTH * diameter:
        return None
    core = depth > 2.5
    profiles, errors = [], []
    for radius, other in zip(radii, radii[::-1], strict=True):
        alone = (radius < 1) & (other > 1.08)
        profile = _profile(density[alone], radius[alone])
        at_rim = alone & (radius > radius[core].min())
        told = _carried(profile, radius[at_rim])
        errors.append(np.abs(_grey(plate[at_rim], told) - rgb[at_rim]).mean())
        profiles.append(_carried(profile, radius[core]))
    lighter, darker = sorted(profiles, key=lambda values: float(values.mean()))
    rules = {"sum": lighter + darker, "darker": darker, "lighter": lighter}
    rules["densest"] = np.maximum(darker, lighter)
    predicted = {rule: _grey(plate[core], told) for rule, told in rules.items()}
    least, most = (np.sum(f(darker, lighter)) for f in (np.minimum, np.maximum))
    added = float((density[core].sum() - most) / least)
    deep = float(2 * depth.max() / diameter)
    error = float(np.mean(errors))
    return Pair(name, core, rgb[core], predicted, error, deep, added, rgb)


def _has_notches(stain: Bools) -> bool:
    """Whether the piece shows where one outline meets the other; a cell cut in two does not."""
    contours, _ = cv2.findContours(stain.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(max(contours, key=len))
    return bool(stain.sum() < 0.98 * cv2.contourArea(hull))


def free_ellipse(own: Bools, other: Bools) -> Ellipse | None:
    """Return the ellipse through a cell's outline where it is free; None where it is no ellipse."""
    contours, _ = cv2.findContours(own.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=len)[:, 0, :]
    away = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 5)
    free = points[away[points[:, 1], points[:, 0]] > 5]
    if len(free) < max(30, 0.55 * len(points)):
        return None
    (x, y), (first, second), degrees = cv2.fitEllipseDirect(free.astype(np.float32))
    if not 0.7 < first / max(second, 1.0) < 1 / 0.7:
        return None
    found = Ellipse((y, x), (first / 2 + 0.5, second / 2 + 0.5), float(np.deg2rad(degrees)))
    off = found.radius(own.shape)[free[:, 1], free[:, 0]] - 1
    return found if np.sqrt(np.mean(off**2)) < 0.04 else None


def _profile(density: Floats, radius: Floats) -> Floats:
    """Return the median density in rings of a cell, float32 (BINS, 3); empty ones as the next."""
    ring = np.minimum((radius * BINS).astype(int), BINS - 1)
    rows = [density[ring == n] for n in range(BINS)]
    filled = [np.median(row, axis=0) if len(row) > 4 else None for row in rows]
    known = [n for n, row in enumerate(filled) if row is not None]
    nearest = [min(known, key=lambda k: abs(k - n)) for n in range(BINS)]
    return np.array([filled[n] for n in nearest], dtype=np.float32)


def _carried(profile: Floats, radius: Floats) -> Floats:
    """Return the density at each distance from the centre, linear between rings."""
    centres = (np.arange(BINS) + 0.5) / BINS
    columns = [np.interp(radius, centres, profile[:, channel]) for channel in range(3)]
    return np.stack(columns, axis=1).astype(np.float32)


def _grey(plate: Floats, density: Floats) -> Floats:
    """Return the values seen through a density, float32 (n, 3)."""
    return np.asarray(plate * 10**-density, dtype=np.float32)


def controls(path: Path, rule: str) -> Iterator[images.Rgb]:
    """Yield images of a red cell and its mirror image laid over it by a known rule.

    The cell is the first whole one of an image that touches nothing; it lies on its own plate.
    """
    rgb = images.read(path)
    masks = Smear().segment(rgb)
    bare = estimate_background(rgb)
    for mask in masks:
        bare[mask.box.slices] &= ~mask.pixels
    plate = fit_plate(rgb, bare).evaluate(*rgb.shape[:2])
    for mask in masks:
        box = mask.box.grown(4)
        alone = not mask.touches_border and not mask.reasons and mask.kind == "RBC"
        ring = cv2.dilate(mask.to_image(rgb.shape).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        ring[mask.box.slices] &= ~mask.pixels
        if alone and bare[ring].mean() > 0.6 and box == box.clipped(*rgb.shape[:2]):
            own = np.where(mask.to_image(rgb.shape)[..., None], rgb / plate, 1)[box.slices]
            yield _laid_over(plate, own.astype(np.float32), rule)
            return


def _laid_over(plate: Floats, cell: Floats, rule: str) -> images.Rgb:
    """Return the plate with a cell in its middle and its mirror image 0.65 of its width beside."""
    light = np.ones_like(plate)
    height, width = cell.shape[:2]
    top, left = (plate.shape[0] - height) // 2, plate.shape[1] // 2 - width
    light[top : top + height, left : left + width] = cell
    left += round(0.65 * width)
    below = light[top : top + height, left : left + width]
    mirrored = cell[:, ::-1]
    below[...] = below * mirrored if rule == "sum" else np.minimum(below, mirrored)
    noise = seeds.child(0, "control").normal(0, 1.5, plate.shape)
    return np.rint(np.clip(plate * light + noise, 0, 255)).astype(np.uint8)


def _figures(pairs: Sequence[Pair]) -> dict[str, object]:
    errors = {rule: [(p.predicted[rule] - p.seen).mean() for p in pairs] for rule in RULES}
    return {
        "pairs": len(pairs),
        "added_median": round(float(np.median([p.added for p in pairs])), 3) if pairs else None,
        "signed": {rule: round(float(np.mean(v)), 2) for rule, v in errors.items() if v},
    }


def by_depth(pairs: Sequence[Pair]) -> dict[str, object]:
    """Return the summary of all pairs and of those whose lens is deep."""
    deep = [pair for pair in pairs if pair.depth >= DEEP]
    return {"all": summary(pairs), f"lens of {DEEP} diameters or deeper": summary(deep)}


def summary(pairs: Sequence[Pair]) -> dict[str, object]:
    """Return how far each rule lies from what was photographed, in grey levels over all channels.

    ``signed`` is the mean of a lens (positive: predicted too bright), its mean over pairs with an
    interval of 95% by resampling pairs; ``absolute`` the mean over the lens of unsigned errors.
    """
    rules: dict[str, object] = {}
    signed = {r: np.array([(p.predicted[r] - p.seen).mean() for p in pairs]) for r in RULES}
    rng = seeds.child(0, "overlap interval")
    for rule, values in signed.items():
        drawn = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
        absolute = [float(np.abs(p.predicted[rule] - p.seen).mean()) for p in pairs]
        channels = [(p.predicted[rule] - p.seen).mean(axis=0) for p in pairs]
        rules[rule] = {
            "signed": round(float(values.mean()), 2),
            "signed_interval": [round(float(v), 2) for v in np.quantile(drawn, [0.025, 0.975])],
            "signed_by_channel": [round(float(v), 2) for v in np.mean(channels, axis=0)],
            "absolute_median": round(float(np.median(absolute)), 2),
            "absolute_90": round(float(np.quantile(absolute, 0.9)), 2),
        }
    best = np.argmin(np.abs(np.array([signed[rule] for rule in RULES])), axis=0)
    return {
        "pairs": len(pairs),
        "lens_px_median": float(np.median([p.lens.sum() for p in pairs])),
        "one_cell_absolute_median": round(float(np.median([p.single_error for p in pairs])), 2),
        "added_median": round(float(np.median([p.added for p in pairs])), 3),
        "added_quartiles": [
            round(float(v), 3) for v in np.quantile([p.added for p in pairs], [0.25, 0.75])
        ],
        "rules": rules,
        "nearest": {rule: int((best == n).sum()) for n, rule in enumerate(RULES)},
    }


def draw(pairs: Sequence[Pair], count: int = 32) -> images.Rgb:
    """Return pairs as photographed above the same with the sum put into the lens."""
    tiles = []
    for pair in pairs[:: max(1, len(pairs) // count)][:count]:
        rows, columns = np.nonzero(pair.lens)
        ends = zip((rows, columns), pair.rgb.shape[:2], strict=True)
        top, left = (int(np.clip(at.mean() - 75, 0, end - 150)) for at, end in ends)
        told = pair.rgb.copy()
        told[pair.lens] = np.rint(np.clip(pair.predicted["sum"], 0, 255))
        window = np.s_[top : top + 150, left : left + 150]
        tiles.append(np.concatenate([pair.rgb[window], told[window]]))
    lines = [np.concatenate(tiles[n : n + 8], axis=1) for n in range(0, len(tiles) - 7, 8)]
    return np.concatenate(lines)


if __name__ == "__main__":
    main()
