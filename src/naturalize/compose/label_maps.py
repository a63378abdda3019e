"""Label maps: a 16-bit PNG beside each image, its values the numbers of the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naturalize import images
from naturalize.artefact import Draft
from naturalize.compose.annotated import AnnotatedImage, Category
from naturalize.datasets.manifest import write_table

FILE = "objects.csv"
COLUMNS = [
    "file", "label_map", "number", "category", "kind", "top", "left", "height", "width", "area_px",
    "cutout_id",
]  # fmt: skip


class LabelMaps:
    """``label-maps/CLASS/NAME.png`` and a table of the objects; 0 is bare slide.

    A pixel has one value, so of two objects that overlap the one on top, of the larger number,
    keeps what they share.
    """

    disjoint = True

    def write(self, draft: Draft, image: AnnotatedImage, categories: Sequence[Category]) -> Any:
        """Write the map of one image; return the rows of its objects."""
        stem = image.file.removeprefix("images/").rpartition(".")[0]
        file = f"label-maps/{stem}.png"
        draft.write(file, images.encode_png(image.label_map))
        return [
            [image.file, file, one.number, one.category, one.kind, one.box.top, one.box.left,
             one.box.height, one.box.width, int(one.pixels.sum()), one.cutout]
            for one in image.objects
        ]  # fmt: skip

    def finish(self, draft: Draft, entries: Sequence[Any], categories: Sequence[Category]) -> None:
        """Write the table of all objects."""
        draft.write(FILE, write_table(COLUMNS, (row for rows in entries for row in rows)))
