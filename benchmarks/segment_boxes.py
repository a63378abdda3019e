"""Objects against the boxes of BCCD's annotators.

Only recall is told. The annotators left many red cells unboxed, so a mask without a box is more
often a cell they skipped than a mistake: precision against these boxes would mean nothing. The
precision of masks is judged by eye instead (``draw`` and ``judged``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from naturalize.geometry import Box
from naturalize.segment import KINDS, Kind, Mask, Segmenter
from segment_agreement import MATCH_IOU, box_overlaps, paired, ratio_interval
from segment_truth import fields


def hits(masks: list[Mask], boxes: Mapping[Kind, list[Box]]) -> dict[Kind, int]:
    """Return how many annotated boxes of each kind have a mask of that kind for themselves."""
    return {
        kind: len(paired(box_overlaps(boxes[kind], [m.box for m in masks if m.kind == kind])))
        for kind in KINDS
    }


def measure_boxes(segmenter: Segmenter, data: Path, count: int | None) -> dict[str, object]:
    """Return the recall of each kind, with its interval over images, and its worst images."""
    found, true, per_image = [], [], {}
    number: Counter[str] = Counter()
    for field in fields(data, count):
        masks = segmenter.segment(field.rgb)
        number.update(mask.kind for mask in masks)
        found.append(hits(masks, field.boxes))
        true.append({kind: len(boxes) for kind, boxes in field.boxes.items()})
        per_image[field.name] = {kind: [found[-1][kind], true[-1][kind]] for kind in KINDS}
    return {
        "images": len(found),
        "match_iou": MATCH_IOU,
        "recall": {
            kind: {
                **ratio_interval([f[kind] for f in found], [t[kind] for t in true]),
                "boxes": sum(t[kind] for t in true),
                "masks": number[kind],
            }
            for kind in KINDS
        },
        "precision": "not told: many red cells have no box",
        "hit_and_boxes": per_image,
    }
