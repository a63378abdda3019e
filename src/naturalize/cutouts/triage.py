"""Which masks may become cutouts, and why others may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment import Kind, Mask

MIN_SCORE: dict[Kind, float] = {"WBC": 0.3, "RBC": 0.4, "PLT": 0.3, "OBJ": 0.0}
MIN_SOLIDITY: dict[Kind, float] = {"WBC": 0.85, "RBC": 0.9, "PLT": 0.7, "OBJ": 0.0}
SPOILED = ("two nuclei", "overlap")
"""What a segmenter says of a mask that rules it out, whatever its kind."""
AREA_RANGE: dict[Kind, tuple[float, float]] = {
    "WBC": (0.4, 2.2),
    "RBC": (0.4, 2.2),
    "PLT": (0.5, 4),
}
"""Allowed area relative to the median of the same kind and class; objects may have any."""
WIDE_AREA_RANGE = (0.2, 4.0)
"""Allowed area relative to the median of the kind, where a class has too few to tell its own."""
FEW = 5


@dataclass(frozen=True)
class Refusal:
    """Why something was turned down: a ``reason`` to count by, and the figures behind it."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class TurnedDown:
    """An object, plate or subject that could not be taken, why, and where it lies.

    ``kind`` is a mask's kind, or ``"plate"`` or ``"subject"`` where the image gives none; ``box``
    is then the whole image. ``outline`` (see :mod:`~naturalize.cutouts.outline`) may be empty.
    """

    id: str
    kind: str
    refusal: Refusal
    sample_id: str
    box: Box
    outline: str = ""


@dataclass(frozen=True)
class Candidate:
    """A mask that may become a cutout, as far as its area is concerned."""

    id: str
    kind: Kind
    label: str
    area_px: int


def triage(mask: Mask) -> Refusal | None:
    """Return why the mask alone rules a cutout out, or None.

    A nucleated cell or platelet that touches another object may stay: the rim of a cutout keeps
    clear of neighbours. A red cell cut from a clump may not: its outline there is a guess. Figures
    in brackets after a segmenter's reason become the detail.
    """
    if mask.touches_border:
        return Refusal("border")
    for reason in SPOILED:
        if reason in mask.reasons:
            return Refusal(reason)
    if mask.kind == "RBC" and mask.reasons:
        reason, _, figures = mask.reasons[0].partition(" (")
        return Refusal(reason, figures.removesuffix(")"))
    if mask.score < MIN_SCORE[mask.kind]:
        return Refusal("low score", f"{mask.score:.2f}, {MIN_SCORE[mask.kind]} is needed")
    filled, needed = solidity(mask.pixels), MIN_SOLIDITY[mask.kind]
    if filled < needed:
        return Refusal("not solid", f"fills {filled:.2f} of its convex hull, {needed} is needed")
    return None


def triage_areas(candidates: Sequence[Candidate]) -> Mapping[str, Refusal]:
    """Return ids of candidates too small or too large for their kind and class, with reasons.

    The median of a class with fewer than five candidates tells little; there the median of the kind
    stands in, with a wider range.
    """
    of_class: dict[tuple[Kind, str], list[int]] = {}
    of_kind: dict[Kind, list[int]] = {}
    for candidate in candidates:
        of_class.setdefault((candidate.kind, candidate.label), []).append(candidate.area_px)
        of_kind.setdefault(candidate.kind, []).append(candidate.area_px)
    judged = {key: areas for key, areas in of_class.items() if key[0] in AREA_RANGE}
    usual = {
        (kind, label): (float(np.median(areas)), AREA_RANGE[kind], label or kind)
        if len(areas) >= FEW
        else (float(np.median(of_kind[kind])), WIDE_AREA_RANGE, kind)
        for (kind, label), areas in judged.items()
    }
    refused = {}
    for candidate in candidates:
        if candidate.kind not in AREA_RANGE:
            continue
        median, (low, high), whose = usual[candidate.kind, candidate.label]
        ratio = candidate.area_px / median
        if not low <= ratio <= high:
            reason = "too small" if ratio < low else "too large"
            refused[candidate.id] = Refusal(reason, f"{ratio:.2f} of the median area of {whose}")
    return refused


def solidity(pixels: NDArray[np.bool_]) -> float:
    """Return the share of its convex hull that a mask (height, width) fills; 0 for an empty one."""
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not contours:
        return 0.0
    hull = cv2.convexHull(np.concatenate(contours))
    filled = np.zeros(pixels.shape, dtype=np.uint8)
    cv2.fillConvexPoly(filled, hull, 1)
    return int(np.count_nonzero(pixels)) / int(filled.sum())
