"""The paper's Algorithm 1 as one would write it with Pillow: RGBA cutouts, bounding boxes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from naturalize.cutouts.bank import CutoutBank, CutoutRow

HEIGHT_PX, WIDTH_PX = 363, 360
RED_CELLS, ATTEMPTS = 8, 1000
PICTURES = 200
Corners = tuple[int, int, int, int]


class Algorithm1:
    """A plain plate, one leukocyte at its centre, eight red cells wherever no box meets another."""

    def __init__(self, bank: CutoutBank) -> None:
        cells = [row for row in bank.rows if row.kind == "WBC" and row.label]
        red = [row for row in bank.rows if row.kind == "RBC"]
        self._cells = [_picture(bank, row) for row in _some(cells)]
        self._red = [_picture(bank, row) for row in _some(red)]
        self._rng = random.Random(0)
        red_green_blue = (round(float(value)) for value in bank.plate_colours.mean(axis=0))
        self._colour = tuple(red_green_blue)

    def cell(self) -> Image.Image:
        """Return any leukocyte."""
        return self._rng.choice(self._cells)

    def red_cell(self) -> Image.Image:
        """Return any red cell."""
        return self._rng.choice(self._red)

    def compose(self) -> Image.Image:
        """Return one composite, not encoded."""
        canvas = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), self._colour)
        cell = self.cell()
        corner = (WIDTH_PX - cell.width) // 2, (HEIGHT_PX - cell.height) // 2
        canvas.paste(cell, corner, cell)
        taken = [(*corner, corner[0] + cell.width, corner[1] + cell.height)]
        for _ in range(RED_CELLS):
            red = self.red_cell()
            for _ in range(ATTEMPTS):
                left = self._rng.randrange(max(1, WIDTH_PX - red.width + 1))
                top = self._rng.randrange(max(1, HEIGHT_PX - red.height + 1))
                box = (left, top, left + red.width, top + red.height)
                if not any(_meet(box, other) for other in taken):
                    canvas.paste(red, (left, top), red)
                    taken.append(box)
                    break
        return canvas


class Reopened(Algorithm1):
    """The same, each cutout opened from its PNG whenever it is pasted."""

    def __init__(self, bank: CutoutBank, folder: Path) -> None:
        super().__init__(bank)
        self._cell_files = _saved(self._cells, folder, "cell")
        self._red_files = _saved(self._red, folder, "red")

    def cell(self) -> Image.Image:
        """Open any leukocyte."""
        return Image.open(self._rng.choice(self._cell_files))

    def red_cell(self) -> Image.Image:
        """Open any red cell."""
        return Image.open(self._rng.choice(self._red_files))


def _some(rows: Sequence[CutoutRow]) -> Sequence[CutoutRow]:
    return rows[:: max(1, len(rows) // PICTURES)][:PICTURES]


def _picture(bank: CutoutBank, row: CutoutRow) -> Image.Image:
    return Image.fromarray(bank.cutout(row.id).rgba())


def _saved(pictures: Sequence[Image.Image], folder: Path, name: str) -> list[Path]:
    files = [folder / f"{name}-{i}.png" for i in range(len(pictures))]
    for picture, file in zip(pictures, files, strict=True):
        picture.save(file)
    return files


def _meet(a: Corners, b: Corners) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
