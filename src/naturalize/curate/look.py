"""One look at each image: decoded once, measured and segmented once for all findings."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from naturalize.curate.cells_seen import Seen, SeenCell, see_cells
from naturalize.curate.exposure import clipped_shares
from naturalize.curate.finding import Finding
from naturalize.curate.focus import sharpness
from naturalize.curate.landmarks import Grey, shrink
from naturalize.curate.source import background, chroma_sampling
from naturalize.curate.unreadable import read_or_find
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.segment import Smear

MAX_SMALL_PX = 512


@dataclass(frozen=True)
class Look:
    """What is kept of an image that can be read.

    ``small`` is its reduced green channel (at most ``MAX_SMALL_PX`` a side, the rest cut off),
    ``background`` the colour of the bare slide, ``white`` and ``black`` the shares of clipped
    pixels, ``chroma`` the sampling of a JPEG, ``cells`` what the image shows besides red cells.
    """

    sample: Sample
    small: Grey
    sharpness: float
    white: float
    black: float
    background: tuple[int, int, int]
    chroma: str
    cells: Seen


def look_at(root: Path, samples: Sequence[Sample], *, factor: int) -> str:
    """Return JSON of a measurement, or a finding, for each sample; ``factor`` reduces ``small``."""
    entries: list[dict[str, object]] = []
    for sample in samples:
        rgb = read_or_find(root, sample)
        if isinstance(rgb, Finding):
            entries.append({"finding": rgb.model_dump()})
        else:
            data = (root / sample.id).read_bytes()
            entries.append({**_measure(rgb, factor), "chroma": chroma_sampling(data)})
    return json.dumps(entries)


def read_looks(text: str, samples: Sequence[Sample]) -> tuple[list[Look], list[Finding]]:
    """Turn what :func:`look_at` returned for ``samples`` back into objects."""
    looks, findings = [], []
    for entry, sample in zip(json.loads(text), samples, strict=True):
        if "finding" in entry:
            findings.append(Finding(**entry["finding"]))
            continue
        raw = zlib.decompress(base64.b64decode(entry.pop("small")))
        small = np.frombuffer(raw, dtype=np.uint8).reshape(entry.pop("shape"))
        colour = tuple(entry.pop("background"))
        cells = tuple(SeenCell(*cell) for cell in entry.pop("cells"))
        looks.append(Look(sample=sample, small=small, background=colour, cells=cells, **entry))
    return looks, findings


def _measure(rgb: Rgb, factor: int) -> dict[str, object]:
    reduced = shrink(rgb, factor)
    small = np.ascontiguousarray(reduced[:MAX_SMALL_PX, :MAX_SMALL_PX, 1])
    white, black = clipped_shares(rgb)
    return {
        "small": base64.b64encode(zlib.compress(small.tobytes(), 1)).decode("ascii"),
        "shape": small.shape,
        "sharpness": sharpness(rgb),
        "white": white,
        "black": black,
        "background": background(reduced),
        "cells": see_cells(rgb, Smear()),
    }
