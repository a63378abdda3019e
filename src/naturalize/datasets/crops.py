"""Single-cell crops out of fields of view, from which a classifier can learn.

A crop is cut from the decoded field and stored losslessly; its group is the field, so that a split
keeps all crops of one field on one side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from naturalize import images
from naturalize.artefact import Draft
from naturalize.datasets.field_of_view import FieldOfView, LabelledBox
from naturalize.datasets.file_tree import SetAside, read_regular
from naturalize.datasets.manifest import write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError, NotAnImageError
from naturalize.geometry import Box
from naturalize.progress import Track

CROPS = "crops.csv"
_COLUMNS = ("id", "field", "label", "top", "left", "height", "width")
_FIELDS_PER_STEP = 20


@dataclass(frozen=True)
class CropPlan:
    """How crops are cut; lengths in pixels.

    Each box is grown by ``margin_px``. With ``size_px`` every crop is a square of that side about
    its box, moved inwards at the field's border, so that all show cells at one scale; without it a
    crop is the grown box. ``labels`` are the box labels to cut, all where it is empty. Boxes that
    touch the border of the field show part of a cell: ``border`` cuts them too.
    """

    size_px: int | None = None
    margin_px: int = 8
    labels: tuple[str, ...] = ()
    border: bool = False

    def __post_init__(self) -> None:
        if self.size_px is not None and self.size_px < 1:
            raise InputError("--size", "at least 1 px", self.size_px)
        if self.margin_px < 0:
            raise InputError("--margin", "at least 0 px", self.margin_px)


def window(box: Box, plan: CropPlan, height_px: int, width_px: int) -> tuple[Box | None, str]:
    """Return the part of a field to cut for ``box``, or None and the kind of what is in the way.

    Kinds: ``empty_box`` (no pixel of the field), ``at_border``, ``too_large`` (for the size asked
    or for the field).

    >>> window(Box(2, 2, 6, 8), CropPlan(size_px=20, margin_px=4), 50, 50)
    (Box(top=0, left=0, height=20, width=20), '')
    """
    inside = box.clipped(height_px, width_px)
    if not (inside.height and inside.width):
        return None, "empty_box"
    at_border = inside.top == 0 or inside.left == 0
    at_border |= inside.bottom == height_px or inside.right == width_px
    if at_border and not plan.border:
        return None, "at_border"
    grown = inside.grown(plan.margin_px)
    if plan.size_px is None:
        return grown.clipped(height_px, width_px), ""
    side = plan.size_px
    if max(grown.height, grown.width) > side or side > min(height_px, width_px):
        return None, "too_large"
    top = grown.top + (grown.height - side) // 2
    left = grown.left + (grown.width - side) // 2
    top, left = max(0, min(top, height_px - side)), max(0, min(left, width_px - side))
    return Box(top, left, side, side), ""


def write_crops(
    draft: Draft, root: Path, fields: Sequence[FieldOfView], plan: CropPlan, track: Track
) -> tuple[list[Sample], list[SetAside]]:
    """Cut the crops of all fields into ``images/FIELD/NUMBER.png`` and list them in ``crops.csv``.

    ``NUMBER`` is the box's place in the annotation, from 1. Returns the samples and what was set
    aside, each box by ``FIELD#NUMBER``.
    """
    samples: list[Sample] = []
    rows: list[list[object]] = []
    aside: list[SetAside] = []
    starts = range(0, len(fields), _FIELDS_PER_STEP)
    for start in track(starts, len(starts), f"crops ({_FIELDS_PER_STEP} fields a step)"):

        def cut(start: int = start) -> str:
            step = [
                _cut_field(draft, root, field, plan)
                for field in fields[start : start + _FIELDS_PER_STEP]
            ]
            return json.dumps(step)

        for made, boxes, refused in json.loads(draft.remember(f"crops-{start}.json", cut)):
            samples += [Sample(**one) for one in made]
            rows += boxes
            aside += [tuple(row) for row in refused]
    draft.write(CROPS, write_table(_COLUMNS, rows))
    return samples, aside


def _cut_field(
    draft: Draft, root: Path, field: FieldOfView, plan: CropPlan
) -> tuple[list[dict[str, object]], list[list[object]], list[SetAside]]:
    """Cut the crops of one field; the three lists can be stored as JSON."""
    rgb, kind, reason = _read(root, field.name)
    if rgb is None:
        return [], [], [(field.name, kind, reason)]
    samples: list[dict[str, object]] = []
    rows: list[list[object]] = []
    aside: list[SetAside] = []
    for number, one in enumerate(field.boxes, start=1):
        if plan.labels and one.label not in plan.labels:
            continue
        where, kind = window(one.box, plan, *rgb.shape[:2])
        kind, reason = _doubt(one, kind, plan)
        if where is None or kind:
            aside.append((f"{field.name}#{number}", kind, reason))
            continue
        name = f"{field.name}/{number:03d}.png"
        png = images.encode_png(rgb[where.slices])
        draft.write(f"images/{name}", png)
        samples.append(_sample(name, one.label, field.name, where, png).model_dump())
        rows.append([name, field.name, one.label, *_corner(one.box)])
    return samples, rows, aside


def _doubt(one: LabelledBox, kind: str, plan: CropPlan) -> tuple[str, str]:
    """Return why a box is not cut, as kind and sentence, or two empty strings."""
    reasons = {
        "empty_box": "the box holds no pixel of the field",
        "at_border": "the field's border cuts the object off (--border keeps it)",
        "too_large": f"with its margin it does not fit {plan.size_px} px, or the field does not",
    }
    if not one.label or not one.label.isprintable():
        return "unlabelled", "a box without a label, or with one that cannot be printed"
    if kind:
        return kind, reasons[kind]
    doubts = [doubt for doubt in one.doubts if not (plan.border and doubt == "truncated")]
    return ("doubtful", f"marked as {' and '.join(doubts)}") if doubts else ("", "")


def _read(root: Path, name: str) -> tuple[images.Rgb | None, str, str]:
    """Decode a field, or say what is wrong with it, as kind and sentence."""
    try:
        data, refused = read_regular(root / name)
        if refused:
            return None, "not_an_image", refused
        return images.decode(data, name=name), "", ""
    except NotAnImageError as error:
        return None, "not_an_image", str(error)
    except ImageError as error:
        return None, "unreadable", str(error)
    except OSError as error:
        return None, "unreadable", str(error.strerror or error)


def _sample(name: str, label: str, field: str, where: Box, png: bytes) -> Sample:
    return Sample(
        id=name,
        label=label,
        group=field,
        source="",
        height_px=where.height,
        width_px=where.width,
        sha256=hashlib.sha256(png).hexdigest(),
    )


def _corner(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.left, box.height, box.width
