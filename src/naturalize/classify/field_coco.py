"""Fields of view as COCO objects: box, pixels and category of every cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from naturalize.classify.reading import FieldReading
from naturalize.compose.rle import compressed, run_lengths

RED_CELL = "RBC"
_ABOUT = "Cells found and read by naturalize predict; scores are calibrated probabilities."


def field_objects(field: FieldReading) -> list[dict[str, Any]]:
    """Return the objects of one field, with the category's name in the place of its number.

    Of red cells and platelets the score is that of their mask.
    """
    found = []
    for number, mask in enumerate(field.masks):
        cell = field.cells[number] if number < len(field.cells) else None
        box = mask.box
        lengths = run_lengths(mask.pixels, box, field.shape)
        found.append(
            {
                "category": cell.label if cell else mask.kind,
                "bbox": [box.left, box.top, box.width, box.height],
                "area": mask.area_px,
                "segmentation": {"size": list(field.shape), "counts": compressed(lengths)},
                "iscrowd": 0,
                "score": round(cell.probability if cell else mask.score, 4),
            }
        )
    return found


def coco_text(
    fields: Sequence[tuple[str, tuple[int, int], list[dict[str, Any]]]], classes: Sequence[str]
) -> str:
    """Return one COCO file of (name, (height, width), objects) of each field."""
    names = [*classes, RED_CELL] if "PLT" in classes else [*classes, "PLT", RED_CELL]
    numbers = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, (_, _, objects) in enumerate(fields, start=1):
        for one in objects:
            told = {key: value for key, value in one.items() if key != "category"}
            place = {"id": len(annotations) + 1, "image_id": image_id}
            annotations.append({**place, "category_id": numbers[one["category"]], **told})
    images = [
        {"id": number, "file_name": name, "height": shape[0], "width": shape[1]}
        for number, (name, shape, _) in enumerate(fields, start=1)
    ]
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    content = {
        "info": {"description": _ABOUT},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    return json.dumps(content, separators=(",", ":"))
