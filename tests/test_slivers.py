"""The edge of a red cell pressed against a nucleated cell is given back; what is its own stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.slivers import without_slivers
from naturalize.segment.stain import Stain

DIAMETER_PX = 60.0
SIDE_PX = 180
MIDDLE, RADIUS, NUCLEUS = 80, 50, 25
BLUE, PINK, RED = 0.5, 0.25, 0.02
"""Purple share of density: of blue and pink cytoplasm, and of haemoglobin."""


def disc(row: int, column: int, radius: int) -> NDArray[np.bool_]:
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(canvas, (column, row), radius, 1, -1)
    return canvas > 0


NUCLEI = disc(MIDDLE, MIDDLE, NUCLEUS)
RED_CELL = disc(MIDDLE, MIDDLE + RADIUS + 24, 30)
TAKEN = disc(MIDDLE, MIDDLE, RADIUS)
"""What was taken for the cell: it holds the edge of the red cell, six pixels of it."""
CELL = TAKEN & ~RED_CELL


def left_of(
    cytoplasm: float,
    red: NDArray[np.bool_] = RED_CELL,
    taken: NDArray[np.bool_] = TAKEN,
) -> NDArray[np.bool_]:
    """Return what is left of ``taken`` where ``red`` has the colour of haemoglobin."""
    green = np.where(taken | red, 0.3, 0.0).astype(np.float32)
    share = np.where(red, RED, cytoplasm).astype(np.float32)
    share[NUCLEI] = 0.6
    density = np.repeat(green[..., None], 3, axis=2)
    stain = Stain(density, taken | red, green * share, red_cell_density=0.3)
    return without_slivers(taken, NUCLEI, stain, DIAMETER_PX)


def test_the_edge_of_a_red_cell_is_given_back() -> None:
    left = left_of(BLUE)
    assert left[TAKEN & RED_CELL].mean() < 0.05
    assert left[CELL].mean() > 0.98
    assert not left[~TAKEN].any()


@pytest.mark.parametrize(
    ("cytoplasm", "red"),
    [
        pytest.param(PINK, RED_CELL, id="pink cytoplasm is as red"),
        pytest.param(BLUE, RED_CELL & TAKEN, id="nothing beyond"),
        pytest.param(BLUE, disc(MIDDLE, MIDDLE + 35, 6), id="within"),
        pytest.param(BLUE, np.zeros_like(TAKEN), id="no red cell"),
    ],
)
def test_what_is_the_cells_own_stays(cytoplasm: float, red: NDArray[np.bool_]) -> None:
    assert (left_of(cytoplasm, red) == TAKEN).all()


def test_it_reaches_no_deeper_than_an_edge() -> None:
    over = disc(MIDDLE, MIDDLE + RADIUS, 30)
    left = left_of(BLUE, over)
    depth = np.hypot(*(np.indices(TAKEN.shape) - MIDDLE))
    assert left[over & (depth < RADIUS - 0.2 * DIAMETER_PX)].all()


def test_cells_without_cytoplasm_stay() -> None:
    assert (left_of(BLUE, taken=NUCLEI) == NUCLEI).all()
