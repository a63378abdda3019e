"""Controls for the judges: cells outlined by hand, half of them damaged on purpose.

They tell how often a judge calls a right mask bad and a wrong one good, without which a share of
good masks cannot be read.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.geometry import Box
from naturalize.segment import Mask
from naturalize.segment.regions import fill_holes
from segment_agreement import iou, share_interval
from segment_draw import Row
from segment_judged import Good, Judgement, agreement
from segment_sheets import pair, write_pages
from segment_truth import HAND_DRAWN, HandCell, hand_cells

DAMAGES = ("none", "none", "bite", "bulge")
"""What becomes of a quarter of the outlines each: as drawn, a piece missing or too much."""
IOU_RANGE = (0.75, 0.9)
"""IoU of a damaged outline with the one that was drawn."""


@dataclass(frozen=True)
class Control:
    """One outline to be judged, and what is known of it; ``iou`` is that with the drawn one."""

    number: int
    file: str
    damage: str
    iou: float


def draw_controls(data: Path, folder: Path, *, seed: int) -> list[Control]:
    """Write sheets of all hand-drawn cells in random order, and return what each one shows."""
    rng = seeds.child(seed, "judge controls")
    cells = list(hand_cells(data))
    order = rng.permutation(len(cells))
    controls, tiles = [], []
    for number, (i, turn) in enumerate(zip(order, rng.permutation(len(cells)), strict=True), 1):
        damage = DAMAGES[turn % len(DAMAGES)]
        drawn = fill_holes(cells[i].labels > 0)
        shown = drawn if damage == "none" else damaged(drawn, damage, rng=rng)
        file = f"{HAND_DRAWN}/{cells[i].name}.bmp"
        controls.append(Control(number, file, damage, round(iou(shown, drawn), 3)))
        tiles.append(_tile(number, cells[i], shown))
    folder.mkdir(parents=True, exist_ok=True)
    write_pages(tiles, folder, "controls")
    rows = ["number,good,fault", *(f"{control.number}," for control in controls)]
    (folder / "controls-judge.csv").write_text("\n".join(rows) + "\n")
    return controls


def damaged(cell: NDArray[np.bool_], damage: str, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask with a disc cut out of its edge (``bite``) or set onto it (``bulge``)."""
    outlines, _ = cv2.findContours(cell.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)[:, 0]
    size = float(np.sqrt(cell.sum() / np.pi))
    while True:
        column, row = (int(v) for v in outline[rng.integers(len(outline))])
        radius = round(size * float(rng.uniform(0.35, 0.9)))
        disc = cv2.circle(np.zeros(cell.shape, np.uint8), (column, row), radius, 1, -1) > 0
        made = cell & ~disc if damage == "bite" else cell | disc
        if IOU_RANGE[0] <= iou(made, cell) <= IOU_RANGE[1]:
            return np.asarray(made)


def read_controls(path: Path) -> list[Control]:
    """Read a table of controls that ``write_rows`` wrote."""
    with path.open(newline="") as file:
        return [
            Control(int(row["number"]), row["file"], row["damage"], float(row["iou"]))
            for row in csv.DictReader(file)
        ]


def judged_controls(
    controls: Sequence[Control], first: Judgement, second: Judgement
) -> dict[str, object]:
    """Return the share called good of outlines as drawn and of damaged ones, by judge."""
    both = {n: first.good[n] and second.good[n] for n in first.good}
    rules: dict[str, Good] = {"both": both, "first": first.good, "second": second.good}
    groups = {
        "as drawn by hand": [c for c in controls if c.damage == "none"],
        "a piece missing": [c for c in controls if c.damage == "bite"],
        "a piece too much": [c for c in controls if c.damage == "bulge"],
    }
    return {
        "agreement": agreement(first.good, second.good),
        "damaged_iou": [round(c.iou, 3) for c in controls if c.damage != "none"],
        **{
            rule: {
                name: share_interval(sum(good[c.number] for c in some), len(some))
                for name, some in groups.items()
            }
            for rule, good in rules.items()
        },
    }


def _tile(number: int, cell: HandCell, shown: NDArray[np.bool_]) -> images.Rgb:
    rows, columns = np.nonzero(shown)
    top, left = int(rows.min()), int(columns.min())
    box = Box(top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left)
    mask = Mask("WBC", box, shown[box.slices], None, 1.0, touches_border=False)
    place = (box.top, box.left, box.height, box.width)
    return pair(Row(number, "", "", "", "WBC", 0, 0, *place, ""), cell.rgb, mask)
