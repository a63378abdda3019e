"""Parts of red cells at a nucleated cell's edge are given back; what is the cell's own stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.red_patches import without_red_patches
from naturalize.segment.stain import Stain

DIAMETER_PX = 60.0
SIDE_PX = 160
MIDDLE, RADIUS, NUCLEUS = 80, 50, 25
BLUE, PINK, EOSIN, RED = 0.45, 0.25, 0.1, 0.0
"""Purple share of density: of blue, pink and eosinophil cytoplasm, and of haemoglobin."""


def disc(row: int, column: int, radius: int) -> NDArray[np.bool_]:
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(canvas, (column, row), radius, 1, -1)
    return canvas > 0


CELL, NUCLEI = disc(MIDDLE, MIDDLE, RADIUS), disc(MIDDLE, MIDDLE, NUCLEUS)


def left_of(
    patch: NDArray[np.bool_], cytoplasm: float, granular: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return what is left of a cell of which ``patch`` has the colour of haemoglobin."""
    green = np.where(CELL | patch, 0.3, 0.0).astype(np.float32)
    if granular is not None:
        grains = np.random.default_rng(0).normal(0, 1, CELL.shape).astype(np.float32)
        green[granular & CELL] += 0.4 * cv2.GaussianBlur(grains, (0, 0), 1.2)[granular & CELL]
    share = np.where(patch, RED, cytoplasm).astype(np.float32)
    share[NUCLEI] = 0.6
    density = np.repeat(green[..., None], 3, axis=2)
    stain = Stain(density, CELL, green * share, red_cell_density=0.3)
    return without_red_patches(CELL, NUCLEI, stain, DIAMETER_PX)


@pytest.mark.parametrize(("row", "column"), [(80, 130), (35, 80), (120, 48)])
def test_a_red_cells_part_at_the_edge_is_given_back(row: int, column: int) -> None:
    patch = disc(row, column, 18) & CELL & ~NUCLEI
    left = left_of(patch, BLUE)
    assert left[patch].mean() < 0.15
    assert left[CELL & ~patch].mean() > 0.97
    assert not left[~CELL].any()


@pytest.mark.parametrize(
    ("patch", "cytoplasm"),
    [
        pytest.param(disc(116, 80, 9), BLUE, id="within"),
        pytest.param(disc(80, 130, 5), BLUE, id="too small"),
        pytest.param(disc(80, 130, 18), EOSIN, id="eosinophil"),
        pytest.param(disc(0, 0, 5), BLUE, id="none"),
    ],
)
def test_what_is_the_cells_own_stays(patch: NDArray[np.bool_], cytoplasm: float) -> None:
    assert (left_of(patch, cytoplasm) == CELL).all()


def test_beside_pink_cytoplasm_a_patch_must_be_even() -> None:
    red_cell = disc(80, 134, 30)
    left = left_of(red_cell, PINK, granular=~red_cell)
    assert left[red_cell & CELL].mean() < 0.25
    assert left[CELL & ~red_cell].mean() > 0.97
    assert (left_of(red_cell, PINK, granular=CELL) == CELL).all()


def test_one_piece_is_left() -> None:
    across = CELL & ~NUCLEI & (np.abs(np.arange(SIDE_PX) - 115) < 5)
    left = left_of(across, BLUE)
    assert cv2.connectedComponents(left.view(np.uint8))[0] == 2
    assert left[MIDDLE, MIDDLE]
