"""Finding: images that cannot be decoded to the last pixel."""

from __future__ import annotations

from pathlib import Path

from naturalize.curate.finding import Finding
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError

MIN_SIDE_PX = 16


def find_unreadable(root: Path, sample: Sample) -> Finding | None:
    """Decode ``sample`` in full and say what is wrong with it, if anything."""
    try:
        height_px, width_px = read_sample(root, sample).shape[:2]
    except ImageError as error:
        reason = str(error).removeprefix(str(root / sample.id)).lstrip(": ")
        return Finding(kind="unreadable", path=sample.id, reason=reason)
    if min(height_px, width_px) < MIN_SIDE_PX:
        value = f"{height_px}x{width_px}"
        reason = f"smaller than {MIN_SIDE_PX} px; no cell can be told on it"
        return Finding(kind="unreadable", path=sample.id, value=value, reason=reason)
    return None
