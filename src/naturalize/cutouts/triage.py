"""Which masks may become cutouts, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from naturalize.segment import Mask

MIN_SCORE = {"WBC": 0.3, "RBC": 0.4, "PLT": 0.3}
MIN_SOLIDITY = {"WBC": 0.85, "RBC": 0.9, "PLT": 0.7}
AREA_RANGE = (0.4, 2.2)
"""Allowed area relative to the median of the same kind and class."""


@dataclass(frozen=True)
class Candidate:
    """A mask that may become a cutout, as far as its area is concerned."""

    id: str
    kind: str
    label: str
    area_px: int


def triage(mask: Mask) -> str | None:
    """Return why the mask alone rules a cutout out, or None."""
    if mask.touches_border:
        return "border"
    if mask.score < MIN_SCORE[mask.kind]:
        return "low score"
    if mask.kind == "RBC" and mask.reasons:
        return mask.reasons[0]
    if _solidity(mask) < MIN_SOLIDITY[mask.kind]:
        return "not solid"
    return None


def triage_areas(candidates: Sequence[Candidate]) -> Mapping[str, str]:
    """Return ids of candidates far from the median area of their kind and class, with reasons."""
    areas: dict[tuple[str, str], list[int]] = {}
    for candidate in candidates:
        areas.setdefault((candidate.kind, candidate.label), []).append(candidate.area_px)
    medians = {key: float(np.median(values)) for key, values in areas.items()}
    low, high = AREA_RANGE
    reasons = {}
    for candidate in candidates:
        ratio = candidate.area_px / medians[candidate.kind, candidate.label]
        if not low <= ratio <= high:
            reasons[candidate.id] = f"{ratio:.2f} times the median area"
    return reasons


def _solidity(mask: Mask) -> float:
    """Return the area of the mask over that of its convex hull."""
    contours, _ = cv2.findContours(
        mask.pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not contours:
        return 0.0
    hull = cv2.convexHull(np.concatenate(contours))
    filled = np.zeros(mask.pixels.shape, dtype=np.uint8)
    cv2.fillConvexPoly(filled, hull, 1)
    return mask.area_px / max(int(filled.sum()), 1)
