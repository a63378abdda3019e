"""Arrays in, masks out. A new segmenter is one file and one line in :data:`SEGMENTERS`."""

from __future__ import annotations

from naturalize.segment.mask import KINDS, Kind, Mask
from naturalize.segment.sam import Sam
from naturalize.segment.segmenter import Segmenter
from naturalize.segment.smear import Smear

SEGMENTERS: dict[str, type[Segmenter]] = {"smear": Smear, "sam": Sam}

__all__ = ["KINDS", "SEGMENTERS", "Kind", "Mask", "Sam", "Segmenter", "Smear"]
