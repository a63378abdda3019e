"""A field of view: one image in which boxes with labels stand round single objects."""

from __future__ import annotations

from dataclasses import dataclass

from naturalize.geometry import Box


@dataclass(frozen=True)
class LabelledBox:
    """A box, the label of the object in it, and the annotator's reservations about it.

    ``doubts`` are such as ``difficult``, ``truncated``, ``crowd``.
    """

    label: str
    box: Box
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldOfView:
    """An image, by its path below the root, and its boxes in the order of the annotation."""

    name: str
    boxes: tuple[LabelledBox, ...]
