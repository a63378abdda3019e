"""COCO object annotations: JSON files with images, annotations, categories (Lin et al. 2014)."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from naturalize.datasets.field_of_view import FieldOfView, LabelledBox
from naturalize.datasets.file_tree import SetAside, below, read_regular
from naturalize.errors import InputError
from naturalize.geometry import Box


def read_coco(root: Path, names: Sequence[str]) -> tuple[list[FieldOfView], list[SetAside]]:
    """Return the fields of view the JSON files below ``root`` describe, and what was set aside.

    A ``file_name`` counts from the root, from the JSON file's folder, or, where one file alone is
    called so, from anywhere below the root. Boxes are x, y, width, height in pixels from 0.
    """
    found: dict[str, list[LabelledBox]] = {}
    aside: list[SetAside] = []
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        places[PurePosixPath(name).name].append(name)
    for name in names:
        if not name.lower().endswith(".json"):
            continue
        try:
            _add(_parse(root / name), name, places, found, aside)
        except (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError) as error:
            aside.append((name, "unreadable", f"not COCO annotations: {_said(error)}"))
    if not found:
        got = aside[0][2] if aside else "no JSON file"
        raise InputError(f"source {root}", "COCO annotations and their images", got)
    return [FieldOfView(image, tuple(boxes)) for image, boxes in found.items()], aside


def _parse(file: Path) -> dict[str, Any]:
    data, refused = read_regular(file)
    if refused:
        raise ValueError(refused)
    content = json.loads(data)
    missing = {"images", "annotations", "categories"} - set(content)
    if missing:
        raise ValueError(f"without {', '.join(sorted(missing))}")
    return dict(content)


def _add(
    content: Mapping[str, Any],
    name: str,
    places: Mapping[str, Sequence[str]],
    found: dict[str, list[LabelledBox]],
    aside: list[SetAside],
) -> None:
    """Add the boxes of one JSON file to those found; nothing is added where it is damaged."""
    labels = {entry["id"]: str(entry["name"]).strip() for entry in content["categories"]}
    boxes: defaultdict[object, list[LabelledBox]] = defaultdict(list)
    for entry in content["annotations"]:
        doubts = ("crowd",) if entry.get("iscrowd") else ()
        label = labels[entry["category_id"]]
        boxes[entry["image_id"]].append(LabelledBox(label, _box(entry["bbox"]), doubts))
    images = [(str(entry["file_name"]), boxes[entry["id"]]) for entry in content["images"]]
    for file_name, own in images:
        image = _resolve(file_name, PurePosixPath(name).parent, places)
        if image is None:
            aside.append((file_name, "unreadable", f"{name} names it, but it is not there"))
        else:
            found.setdefault(image, []).extend(own)


def _resolve(
    file_name: str, folder: PurePosixPath, places: Mapping[str, Sequence[str]]
) -> str | None:
    """Return the one file meant by ``file_name``, or None."""
    path = below(file_name)
    if path is None:
        return None
    same = places.get(path.name, ())
    for candidate in (path.as_posix(), (folder / path).as_posix()):
        if candidate in same:
            return candidate
    return same[0] if len(same) == 1 else None


def _box(bbox: Sequence[float]) -> Box:
    """Return the whole pixels a box touches."""
    x, y, width, height = (float(value) for value in bbox)
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError(f"a box of {bbox}")
    top, left = math.floor(y), math.floor(x)
    return Box(top, left, math.ceil(y + height) - top, math.ceil(x + width) - left)


def _said(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
