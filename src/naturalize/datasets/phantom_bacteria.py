"""Phantoms that show no blood: stained bacteria on a light slide, or fluorescent ones in the dark.

They stand in for a folder of one's own objects: a class names the object at the centre, others lie
beside it, and label images tell the exact pixels of each. They are evidence of nothing about real
images.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from math import ceil, cos, hypot, pi, sin
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets.manifest import SAMPLES, SET_ASIDE, samples_table, write_table
from naturalize.datasets.phantom_shapes import Floats, arc, coverage, sausage, smooth_noise
from naturalize.datasets.phantom_slide import transmittance
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.optics import Background, PlateSurface
from naturalize.progress import Track, quiet

CLASSES = ("coccus", "rod", "vibrio")
SIDE_PX = 192
MAX_COUNT = 1_000_000
_STAIN = np.array((0.95, 1.45, 0.5), dtype=np.float32)
"""Density (natural logarithm) of the thickest part: crystal violet."""
_GLOW = np.array((34, 215, 92), dtype=np.float32)
"""Grey levels that the thickest part gives off: a green fluorescent protein."""
_PLATE: dict[Background, tuple[float, float, float]] = {
    "light": (238.0, 234.0, 226.0),
    "dark": (9.0, 14.0, 12.0),
}
_EDGE_PX = 3.5


@dataclass(frozen=True, eq=False)
class BacteriaImage:
    """One image, uint8 (192, 192, 3), and its objects: uint16 (192, 192), 0 none, 1 the subject."""

    label: str
    image: images.Rgb
    labels: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class _Body:
    """One bacterium on a box of odd side: its thickness (about 1) and its own pixels."""

    thickness: Floats
    pixels: NDArray[np.bool_]

    @property
    def half(self) -> int:
        return len(self.pixels) // 2


def render(label: str, background: Background, *, rng: np.random.Generator) -> BacteriaImage:
    """Draw one image of class ``label``; the same ``rng``, the same pixels.

    >>> render("rod", "dark", rng=np.random.default_rng(0)).labels[96, 96]
    np.uint16(1)
    """
    if label not in CLASSES:
        raise InputError("label", f"one of {', '.join(CLASSES)}", label)
    thickness = np.zeros((SIDE_PX, SIDE_PX), dtype=np.float32)
    labels = np.zeros((SIDE_PX, SIDE_PX), dtype=np.uint16)
    centres = _centres(rng)
    kinds = [label, *rng.choice(CLASSES, len(centres) - 1)]
    drawn = [
        (_body(str(kind), rng=rng), centre) for kind, centre in zip(kinds, centres, strict=True)
    ]
    for number, (body, (row, column)) in reversed(list(enumerate(drawn, start=1))):
        box = Box(row - body.half, column - body.half, *body.pixels.shape)
        seen = box.clipped(SIDE_PX, SIDE_PX)
        part = Box(seen.top - box.top, seen.left - box.left, seen.height, seen.width).slices
        np.maximum(thickness[seen.slices], body.thickness[part], out=thickness[seen.slices])
        labels[seen.slices][body.pixels[part]] = number
    return BacteriaImage(label, _exposed(thickness, background, rng=rng), labels)


def write_bacteria(
    out: Path,
    *,
    count: int = 90,
    seed: int = 0,
    background: Background = "light",
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Draw ``count`` images, dealt evenly to the classes, into a ``dataset`` artefact.

    ``images/CLASS/NAME.png`` has its label image at ``masks/NAME.png``. An interrupted run resumes.
    """
    if not 1 <= count <= MAX_COUNT:
        raise InputError("count", f"1 to {MAX_COUNT:,} images", count)

    def write(draft: Draft) -> None:
        samples = []
        for index in track(range(count), count, "draw phantoms"):
            work = partial(_draw, draft, index, seed, background)
            samples.append(Sample(**json.loads(draft.remember(f"{index:06d}.json", work))))
        samples.sort(key=lambda sample: sample.id)
        found = Counter(sample.label for sample in samples)
        draft.write(SAMPLES, samples_table(samples))
        draft.write(SET_ASIDE, write_table(["path", "kind", "reason"], []))
        draft.summary.update(
            classes=list(CLASSES),
            root="images",
            layout="phantom",
            origin="naturalize phantom",
            licence="CC0-1.0",
            files=count,
            counts={label: found[label] for label in CLASSES},
            set_aside={},
        )

    parameters = {"layout": f"bacteria, {background}", "count": count}
    return build(out, Request("dataset", parameters, seed=seed), write, if_exists=if_exists)


def _draw(draft: Draft, index: int, seed: int, background: Background) -> str:
    """Write one image and its label image; return its sample as JSON."""
    label = CLASSES[index % len(CLASSES)]
    made = render(label, background, rng=seeds.child(seed, "bacteria", index))
    name = PurePosixPath(label, f"{label}_{index:06d}.png")
    png = images.encode_png(made.image)
    draft.write(f"masks/{name.name}", images.encode_png(made.labels))
    draft.write(f"images/{name}", png)
    return Sample(
        id=str(name),
        label=label,
        group=str(name),
        source="phantom",
        height_px=SIDE_PX,
        width_px=SIDE_PX,
        sha256=hashlib.sha256(png).hexdigest(),
    ).model_dump_json()


def _centres(rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw centres (row, column): the subject's near the middle, others some way from each."""
    middle = SIDE_PX // 2
    row, column = rng.integers(middle - 4, middle + 5, 2).tolist()
    centres = [(row, column)]
    for row, column in rng.integers(0, SIDE_PX, (int(rng.integers(12, 40)), 2)).tolist():
        if all(hypot(row - r, column - c) > 44 for r, c in centres):
            centres.append((row, column))
    return centres


def _body(label: str, *, rng: np.random.Generator) -> _Body:
    """Draw one bacterium: a ball, a rod or a comma, turned by any angle."""
    length, bend, width = {
        "coccus": (0.0, 0.0, rng.uniform(9.0, 12.5)),
        "rod": (rng.uniform(24, 40), rng.uniform(0, 0.3), rng.uniform(6.0, 8.0)),
        "vibrio": (rng.uniform(34, 46), rng.uniform(1.7, 2.6), rng.uniform(5.0, 6.5)),
    }[label]
    way = rng.uniform(0, 2 * pi)
    rows, columns = arc(length, bend, 1 + ceil(length)).T
    spine = np.stack([cos(way) * rows - sin(way) * columns, sin(way) * rows + cos(way) * columns])
    half = ceil(length / 2 + width) + 3
    field = sausage(half, spine.T, np.full(spine.shape[1], width))
    inside = np.clip(field * np.float32(1 / width), 0, 1)
    rounded = np.float32(0.4) + np.float32(0.6) * inside * (2 - inside)
    grains = 1 + np.float32(0.12) * smooth_noise(len(field), 4.0, rng=rng)
    strength = np.clip(grains, 0.6, 1.4) * np.float32(rng.uniform(0.65, 0.95))
    return _Body(strength * coverage(field, _EDGE_PX) * rounded, field >= 0)


def _exposed(thickness: Floats, background: Background, *, rng: np.random.Generator) -> images.Rgb:
    """Return what a camera sees: light that is taken away by stain, or added by fluorescence."""
    level = np.array(_PLATE[background]) + rng.normal(0, 1.5)
    unevenness = rng.normal(0, 1.2, (1, 5)).repeat(3, axis=0)
    plate = PlateSurface(np.column_stack([level, unevenness])).evaluate(SIDE_PX, SIDE_PX)
    deep = thickness[..., None]
    light = plate * transmittance(deep * _STAIN) if background == "light" else plate + deep * _GLOW
    noise = rng.normal(0, 1.3, light.shape)
    return np.clip(np.rint(light + noise), 0, 255).astype(np.uint8)
