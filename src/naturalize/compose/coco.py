"""COCO object annotations: boxes, compressed run-length masks, a category for each object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from naturalize.artefact import Draft
from naturalize.compose.annotated import AnnotatedImage, Category
from naturalize.compose.objects import PlacedObject
from naturalize.compose.rle import compressed, run_lengths

FILE = "annotations.json"
_ABOUT = (
    "Composites made by naturalize. Of two objects of an image that overlap, the one with the "
    "larger number lies on top; where cells let light through, both masks hold the shared "
    "pixels."
)


class Coco:
    """One JSON file; ``file_name`` counts from its folder, pixels from 0, ids from 1."""

    def __init__(self, *, disjoint: bool) -> None:
        self.disjoint = disjoint

    def write(self, draft: Draft, image: AnnotatedImage, categories: Sequence[Category]) -> Any:
        """Return the entry of one image and those of its objects, without their own ids."""
        ids = {category.name: number for number, category in enumerate(categories, start=1)}
        height_px, width_px = (int(side) for side in image.label_map.shape)
        image_id = image.index + 1
        return {
            "image": {
                "id": image_id,
                "file_name": image.file,
                "width": width_px,
                "height": height_px,
            },
            "annotations": [
                {
                    "image_id": image_id,
                    "category_id": ids[one.category],
                    **_place(one, (height_px, width_px)),
                }
                for one in image.objects
            ],
        }

    def finish(self, draft: Draft, entries: Sequence[Any], categories: Sequence[Category]) -> None:
        """Write all entries as one file."""
        found = [one for entry in entries for one in entry["annotations"]]
        content = {
            "info": {"description": _ABOUT},
            "images": [entry["image"] for entry in entries],
            "annotations": [{"id": n, **one} for n, one in enumerate(found, start=1)],
            "categories": [
                {"id": n, "name": category.name, "supercategory": category.kind}
                for n, category in enumerate(categories, start=1)
            ],
        }
        draft.write(FILE, json.dumps(content, separators=(",", ":")))


def _place(one: PlacedObject, shape: tuple[int, int]) -> dict[str, Any]:
    lengths = run_lengths(one.pixels, one.box, shape)
    return {
        "bbox": [one.box.left, one.box.top, one.box.width, one.box.height],
        "area": int(one.pixels.sum()),
        "segmentation": {"size": list(shape), "counts": compressed(lengths)},
        "iscrowd": 0,
        "number": one.number,
        "cutout_id": one.cutout,
    }
