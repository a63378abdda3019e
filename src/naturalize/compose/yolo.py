"""YOLO: one text file an image, a line an object: category and box as shares of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from naturalize.artefact import Draft
from naturalize.compose.annotated import AnnotatedImage, Category
from naturalize.compose.objects import PlacedObject

FILE = "data.yaml"
_ABOUT = """\
# Composites, for training only. Add a line "val:" with a folder of real images that no composite
# was made from: a figure measured on composites says nothing about real ones.
"""


class Yolo:
    """``images/CLASS/NAME.jpg`` and ``labels/CLASS/NAME.txt``; ``data.yaml`` names categories."""

    def __init__(self, *, disjoint: bool) -> None:
        self.disjoint = disjoint

    def write(self, draft: Draft, image: AnnotatedImage, categories: Sequence[Category]) -> Any:
        """Write the lines of one image."""
        ids = {category.name: number for number, category in enumerate(categories)}
        height_px, width_px = image.label_map.shape
        lines = [
            f"{ids[one.category]} {_shares(one, height_px, width_px)}\n" for one in image.objects
        ]
        stem = image.file.removeprefix("images/").rpartition(".")[0]
        draft.write(f"labels/{stem}.txt", "".join(lines))

    def finish(self, draft: Draft, entries: Sequence[Any], categories: Sequence[Category]) -> None:
        """Write what a training program is given."""
        names = {number: category.name for number, category in enumerate(categories)}
        content = {"path": ".", "train": "images", "names": names}
        draft.write(FILE, _ABOUT + yaml.safe_dump(content, sort_keys=False))


def _shares(one: PlacedObject, height_px: int, width_px: int) -> str:
    """Return centre and size of a box: x, y, width, height, each from 0 to 1."""
    x = (one.box.left + one.box.width / 2) / width_px
    y = (one.box.top + one.box.height / 2) / height_px
    return f"{x:.6f} {y:.6f} {one.box.width / width_px:.6f} {one.box.height / height_px:.6f}"
