"""Digests that tell one mask, or one state of a segmenter, from another."""

from __future__ import annotations

import hashlib

import numpy as np

from naturalize.segment import Mask, Segmenter
from segment_truth import phantoms

_PHANTOMS = 11


def mask_digest(mask: Mask) -> str:
    """Return 16 hex digits for the kind, the place and the pixels of a mask."""
    box = mask.box
    place = f"{mask.kind} {box.top} {box.left} {box.height} {box.width} "
    return hashlib.sha256(place.encode() + np.packbits(mask.pixels).tobytes()).hexdigest()[:16]


def behaviour_digest(segmenter: Segmenter) -> str:
    """Return 16 hex digits for all masks on a few phantoms.

    Figures with the same digest came from code that does the same, whatever was edited between.
    """
    found = hashlib.sha256()
    for drawn in phantoms(_PHANTOMS):
        for mask in segmenter.segment(drawn.rgb):
            found.update(mask_digest(mask).encode())
    return found.hexdigest()[:16]
