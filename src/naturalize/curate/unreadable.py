"""Finding: images that cannot be decoded to the last pixel."""

from __future__ import annotations

from pathlib import Path

from naturalize.curate.finding import Finding
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError
from naturalize.images import Rgb

MIN_SIDE_PX = 16


def read_or_find(root: Path, sample: Sample) -> Rgb | Finding:
    """Decode ``sample`` in full, or say what is wrong with it."""
    try:
        rgb = read_sample(root, sample)
    except ImageError as error:
        reason = str(error).removeprefix(str(root / sample.id)).lstrip(": ")
        return Finding(kind="unreadable", path=sample.id, reason=reason)
    height_px, width_px = rgb.shape[:2]
    if min(height_px, width_px) < MIN_SIDE_PX:
        value = f"{height_px}x{width_px}"
        reason = f"smaller than {MIN_SIDE_PX} px; no cell can be told on it"
        return Finding(kind="unreadable", path=sample.id, value=value, reason=reason)
    return rgb
