"""What the segmenter is measured against: hand-drawn cells, annotated boxes, phantoms."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.datasets import phantom
from naturalize.geometry import Box
from naturalize.segment import Kind, Mask

HAND_DRAWN, FIELDS, PBC = "wbc_masks", "BCCD", "PBC_dataset_normal_DIB"
BOX_NAMES: dict[Kind, str] = {"RBC": "RBC", "WBC": "WBC", "PLT": "Platelets"}
NUCLEUS, CYTOPLASM = 255, 128
SPLIT = Path(__file__).parents[1] / "docs/results/split/pbc.csv"


@dataclass(frozen=True, eq=False)
class HandCell:
    """One image and the cell drawn by hand in it: 255 nucleus, 128 cytoplasm, 0 rest."""

    name: str
    rgb: images.Rgb
    labels: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Field:
    """One field of view and the boxes its annotators drew, by kind."""

    name: str
    rgb: images.Rgb
    boxes: dict[Kind, list[Box]]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A phantom image with its exact masks."""

    name: str
    rgb: images.Rgb
    masks: list[Mask]


def hand_cells(data: Path, count: int | None = None) -> Iterator[HandCell]:
    """Yield the hand-drawn cells in order of their names, ``count`` of them spread evenly."""
    for path in spread(sorted((data / HAND_DRAWN).glob("*.bmp")), count):
        drawn = images.decode_labels(path.with_suffix(".png").read_bytes())
        labels = np.where(drawn > 192, NUCLEUS, np.where(drawn > 64, CYTOPLASM, 0))
        yield HandCell(path.stem, images.read(path), labels.astype(np.int32))


def fields(data: Path, count: int | None = None) -> Iterator[Field]:
    """Yield annotated fields, ``count`` of them spread evenly; boxes without area are left out."""
    folder = data / FIELDS
    for path in spread(sorted((folder / "Annotations").glob("*.xml")), count):
        rgb = images.read(folder / "JPEGImages" / f"{path.stem}.jpg")
        yield Field(path.stem, rgb, annotated_boxes(path))


def annotated_boxes(path: Path) -> dict[Kind, list[Box]]:
    """Return the boxes of a Pascal VOC file by kind."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    for item in ElementTree.parse(path).getroot().iter("object"):
        left, top, right, bottom = (
            int(item.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        if right > left and bottom > top:
            name = item.findtext("name", "")
            boxes[name].append(Box(top, left, bottom - top, right - left))
    return {kind: boxes[name] for kind, name in BOX_NAMES.items()}


def phantoms(count: int, *, seed: int = 0) -> Iterator[Drawn]:
    """Yield phantom images, the classes in turn, each on a slide of its own."""
    for number in range(count):
        label = phantom.CLASSES[number % len(phantom.CLASSES)]
        rng = seeds.child(seed, "segment phantom", number)
        made = phantom.render(label, rng=rng, slide=phantom.sample_slide(rng))
        yield Drawn(f"{label}_{number}", made.image, made.masks)


def pbc_by_class(data: Path, sides: Sequence[str] = ("test",)) -> dict[str, list[Path]]:
    """Return the PBC files of each class on ``sides`` of the frozen split, sorted.

    The segmenter's network was taught with cells of train images.
    """
    classes = defaultdict(list)
    with SPLIT.open(newline="") as file:
        for row in csv.DictReader(file):
            path = data / PBC / row["id"]
            if row["side"] in sides and path.exists():
                classes[row["label"]].append(path)
    return {label: sorted(paths) for label, paths in sorted(classes.items())}


def pbc_sample(
    data: Path, per_class: int, *, rng: np.random.Generator, sides: Sequence[str] = ("test",)
) -> dict[str, list[Path]]:
    """Draw ``per_class`` files of every class without replacement."""
    return {
        label: [paths[i] for i in rng.choice(len(paths), min(per_class, len(paths)), replace=False)]
        for label, paths in pbc_by_class(data, sides).items()
    }


def spread(paths: list[Path], count: int | None) -> list[Path]:
    """Return ``count`` of the paths at even steps, all of them for None.

    >>> [p.name for p in spread([Path(c) for c in "abcde"], 2)]
    ['a', 'c']
    """
    if count is None or count >= len(paths):
        return paths
    return [paths[i * len(paths) // count] for i in range(count)]
