"""The phantom: procedural blood-smear images of the 11 PBC classes with exact masks.

It stands in for real data in tests, demos and the audit of a pipeline's plumbing. It is evidence of
nothing about real images.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets.manifest import (
    SAMPLES,
    SET_ASIDE,
    read_table,
    samples_table,
    write_table,
)
from naturalize.datasets.phantom_classes import CLASSES, REAL_COUNTS
from naturalize.datasets.phantom_field import PhantomImage, at_border, render
from naturalize.datasets.phantom_slide import HEIGHT_PX, WIDTH_PX, Slide, sample_slide
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.progress import Track, quiet
from naturalize.segment.mask import KINDS, Kind, Mask

__all__ = [
    "CLASSES",
    "PhantomImage",
    "Slide",
    "class_counts",
    "load_masks",
    "render",
    "sample_slide",
    "write_phantom",
]

CELLS = "cells.csv"
SLIDES = "slides.csv"
SLIDE_COUNT = 24
"""How many slides the images of a set come from, whatever their class."""

_CELL_COLUMNS = (
    "sample_id",
    "index",
    "kind",
    "top",
    "left",
    "height",
    "width",
    "area_px",
    "reasons",
)
_FEWEST = 3
MAX_COUNT = 1_000_000


def class_counts(count: int, classes: tuple[str, ...] = CLASSES) -> dict[str, int]:
    """Split ``count`` images over ``classes`` in the proportion of the public PBC data.

    Largest remainder; every class gets at least 3 where ``count`` allows it.

    >>> class_counts(100, ("EO", "PMY"))
    {'EO': 84, 'PMY': 16}
    """
    _check(count, classes)
    total = sum(REAL_COUNTS[label] for label in classes)
    quota = {label: count * REAL_COUNTS[label] / total for label in classes}
    counts = {label: floor(share) for label, share in quota.items()}
    by_remainder = sorted(classes, key=lambda label: counts[label] - quota[label])
    for label in by_remainder[: count - sum(counts.values())]:
        counts[label] += 1
    fewest = _FEWEST if count >= _FEWEST * len(classes) else 0
    for label in classes:
        while counts[label] < fewest:
            counts[max(classes, key=lambda other: counts[other])] -= 1
            counts[label] += 1
    return counts


def write_phantom(
    out: Path,
    *,
    count: int = 660,
    seed: int = 0,
    classes: tuple[str, ...] = CLASSES,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Draw ``count`` images into a ``dataset`` artefact with masks; the same seed, the same bytes.

    Beside ``samples.csv`` there are ``cells.csv`` (a row a cell), ``slides.csv`` (the slide of each
    image), ``masks/NAME.png`` (16-bit labels: the cell's ``index`` in ``cells.csv``, 0 elsewhere)
    and ``masks/NAME_nucleus.png`` (255 inside the nucleus). An interrupted run resumes.
    """
    counts = class_counts(count, classes)
    labels = [label for label in classes for _ in range(counts[label])]

    def write(draft: Draft) -> None:
        made = []
        for index, label in enumerate(track(labels, count, "draw phantoms")):
            work = partial(_draw, draft, label, index, seed)
            made.append(json.loads(draft.remember(f"{index:06d}.json", work)))
        _write_tables(draft, made, classes)

    parameters = {"layout": "phantom", "count": count, "classes": list(classes)}
    return build(out, Request("dataset", parameters, seed=seed), write, if_exists=if_exists)


def load_masks(artefact: Artefact, sample_id: str) -> list[Mask]:
    """Read back the exact masks of one image of a phantom data set."""
    stem = _stem(sample_id)
    rows = _cells_by_image(artefact.path / CELLS, artefact.id).get(sample_id)
    if rows is None:
        raise InputError("sample_id", f"an image of {artefact.path}", sample_id)
    labels = _read_png(artefact.path / f"masks/{stem}.png")
    file = artefact.path / f"masks/{stem}_nucleus.png"
    nucleus = _read_png(file) > 0 if file.is_file() else None
    return [_read_mask(row, labels, nucleus) for row in rows]


def _draw(draft: Draft, label: str, index: int, seed: int) -> str:
    """Write one image and its masks, and return what the tables need of it, as JSON."""
    number = int(seeds.child(seed, "phantom slide of", index).integers(SLIDE_COUNT))
    made = render(label, rng=seeds.child(seed, "phantom", index), slide=_slide(seed, number))
    sample_id = f"{label}/{label}_{index:06d}.jpg"
    _write_image(draft, sample_id, made)
    sample = Sample(
        id=sample_id,
        label=label,
        group=sample_id,
        source="phantom",
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        sha256=hashlib.sha256(made.jpeg).hexdigest(),
    )
    cells = [_cell_row(sample_id, row, mask) for row, mask in enumerate(made.masks, start=1)]
    return json.dumps({"sample": sample.model_dump(), "slide": number, "cells": cells})


def _write_image(draft: Draft, sample_id: str, made: PhantomImage) -> None:
    """Write the masks, then the image."""
    labels = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.uint16)
    nucleus = np.zeros((HEIGHT_PX, WIDTH_PX), dtype=np.uint8)
    for index, mask in enumerate(made.masks, start=1):
        labels[mask.box.slices][mask.pixels] = index
        if mask.nucleus is not None:
            nucleus[mask.box.slices][mask.nucleus] = 255
    stem = _stem(sample_id)
    draft.write(f"masks/{stem}.png", images.encode_png(labels))
    if nucleus.any():
        draft.write(f"masks/{stem}_nucleus.png", images.encode_png(nucleus))
    draft.write(f"images/{sample_id}", made.jpeg)


def _write_tables(draft: Draft, made: Sequence[dict[str, Any]], classes: Sequence[str]) -> None:
    samples = [Sample(**image["sample"]) for image in made]
    found = Counter(sample.label for sample in samples)
    cells = [row for image in made for row in image["cells"]]
    slides = [(image["sample"]["id"], image["slide"]) for image in made]
    draft.write(SAMPLES, samples_table(samples))
    draft.write(CELLS, write_table(_CELL_COLUMNS, cells))
    draft.write(SLIDES, write_table(["sample_id", "slide"], slides))
    draft.write(SET_ASIDE, write_table(["path", "kind", "reason"], []))
    draft.summary.update(
        classes=list(classes),
        root="images",
        layout="phantom",
        origin="naturalize phantom",
        licence="CC0-1.0",
        files=len(samples),
        counts={label: found[label] for label in classes},
        set_aside={},
    )


def _cell_row(sample_id: str, index: int, mask: Mask) -> list[str | int]:
    box = mask.box
    place = (box.top, box.left, box.height, box.width)
    return [sample_id, index, mask.kind, *place, mask.area_px, ";".join(mask.reasons)]


def _read_mask(
    row: dict[str, str], labels: NDArray[np.int32], nucleus: NDArray[np.bool_] | None
) -> Mask:
    box = Box(int(row["top"]), int(row["left"]), int(row["height"]), int(row["width"]))
    kind: Kind = next(kind for kind in KINDS if kind == row["kind"])
    pixels = labels[box.slices] == int(row["index"])
    return Mask(
        kind=kind,
        box=box,
        pixels=pixels,
        nucleus=nucleus[box.slices] & pixels if kind == "WBC" and nucleus is not None else None,
        score=1.0,
        touches_border=at_border(box),
        reasons=tuple(reason for reason in row["reasons"].split(";") if reason),
    )


@lru_cache(maxsize=2)
def _cells_by_image(path: Path, artefact_id: str) -> dict[str, list[dict[str, str]]]:
    """Read the cells table once per artefact (``artefact_id`` tells a rewritten one apart)."""
    cells: dict[str, list[dict[str, str]]] = {}
    for row in read_table(path):
        cells.setdefault(row["sample_id"], []).append(row)
    return cells


@lru_cache(maxsize=SLIDE_COUNT)
def _slide(seed: int, number: int) -> Slide:
    return sample_slide(seeds.child(seed, "phantom slide", number))


def _read_png(path: Path) -> NDArray[np.int32]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), "a readable file", error.strerror or error) from error
    return images.decode_labels(data, name=str(path))


def _stem(sample_id: str) -> str:
    return Path(sample_id).stem


def _check(count: int, classes: tuple[str, ...]) -> None:
    if not 1 <= count <= MAX_COUNT:
        raise InputError("count", f"1 to {MAX_COUNT:,} images", count)
    unknown = [label for label in classes if label not in CLASSES]
    if unknown or not classes or len(set(classes)) != len(classes):
        allowed = f"some of {', '.join(CLASSES)}, each once"
        raise InputError("classes", allowed, ", ".join(classes) or "none")
