"""What hangs on a cell by a neck is told from what is a cell's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.beads import find_beads
from naturalize.segment.cell_net import SEEN
from naturalize.segment.nucleated_cells import without_beads
from naturalize.segment.stain import Stain

DIAMETER_PX = 60.0
CELL = ((100, 100), 45)


def drawn(*discs: tuple[tuple[int, int], int], neck_px: int = 0) -> NDArray[np.bool_]:
    """Return discs by (row, column) and radius, their middles joined by necks of one width."""
    canvas = np.zeros((200, 200), np.uint8)
    middles = [(column, row) for (row, column), _ in discs]
    for (_, radius), middle in zip(discs, middles, strict=True):
        cv2.circle(canvas, middle, radius, 1, -1)
        if neck_px:
            cv2.line(canvas, middles[0], middle, 1, neck_px)
    return canvas > 0


def beads_of(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return find_beads(pixels.astype(np.int32), DIAMETER_PX)


@pytest.mark.parametrize("radius", [6, 8, 10, 14, 20])
@pytest.mark.parametrize("way", [(1, 0), (0, -1), (0.6, 0.8)])
def test_a_small_body_on_a_neck_is_a_bead(radius: int, way: tuple[float, float]) -> None:
    off = CELL[1] + radius
    middle = round(100 + way[0] * off), round(100 + way[1] * off)
    cell, whole = drawn(CELL), drawn(CELL, (middle, radius), neck_px=5)
    beads = beads_of(whole)
    own = whole & ~cell
    assert (beads & own).sum() > 0.8 * own.sum()
    assert (beads & cell).sum() < 0.01 * cell.sum()


@pytest.mark.parametrize(
    "further",
    [
        pytest.param(((148, 100), 20), id="a bleb"),
        pytest.param(((190, 100), 45), id="another cell"),
        pytest.param(((100, 100), 45), id="nothing"),
    ],
)
def test_blebs_and_cells_are_none(further: tuple[tuple[int, int], int]) -> None:
    assert not beads_of(drawn(CELL, further)).any()


def test_corners_are_none() -> None:
    canvas = np.zeros((200, 200), np.uint8)
    star = [(100, 30), (125, 75), (170, 100), (125, 125), (100, 170), (75, 125), (30, 100)]
    cv2.fillPoly(canvas, [np.array([*star, (75, 75)], np.int32)], 1)
    assert not beads_of(canvas > 0).any()


def test_the_border_makes_no_bead() -> None:
    assert not beads_of(drawn(((100, 10), 45))).any()
    assert not beads_of(drawn(((-20, -20), 45))).any()


def test_each_object_has_its_own() -> None:
    one = drawn(((60, 60), 40), ((60, 108), 8), neck_px=5)
    labels = one.astype(np.int32)
    labels[140:190, 20:160] = 7
    beads = find_beads(labels, DIAMETER_PX)
    assert beads.any()
    assert not beads[labels == 7].any()
    assert not find_beads(np.zeros((9, 9), np.int32), DIAMETER_PX).any()


@pytest.mark.parametrize(("share", "kind"), [(0.36, "PLT"), (0.55, "WBC")])
def test_a_bead_as_blue_as_cytoplasm_is_the_cells_own_bleb(share: float, kind: str) -> None:
    whole = drawn(CELL, ((155, 100), 10), neck_px=5)
    green = np.where(whole, 0.6, 0.0).astype(np.float32)
    purple = green * np.where(drawn(CELL), np.float32(0.5), np.float32(share))
    stain = Stain(np.repeat(green[..., None], 3, axis=2), whole, purple, 0.3)
    shown = np.where(whole, np.uint8(SEEN.index("WBC")), np.uint8(SEEN.index("slide")))
    settled, cells = without_beads(shown, whole.astype(np.int32), stain, DIAMETER_PX)
    assert SEEN[settled[157, 100]] == kind
    assert (cells[157, 100] > 0) == (kind == "WBC")
    assert (cells[drawn(CELL) & ~drawn(((155, 100), 14))] > 0).all()
