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
BLUE, PALE_BLUE, PINK, EOSIN, RED = 0.6, 0.4, 0.25, 0.1, 0.0
"""Purple share of density: of cytoplasm blue, pale blue, pink and full of eosin, and of
haemoglobin."""


def disc(row: int, column: int, radius: int) -> NDArray[np.bool_]:
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(canvas, (column, row), radius, 1, -1)
    return canvas > 0


CELL, NUCLEI = disc(MIDDLE, MIDDLE, RADIUS), disc(MIDDLE, MIDDLE, NUCLEUS)


def left_of(
    patch: NDArray[np.bool_],
    cytoplasm: float,
    granular: NDArray[np.bool_] | None = None,
    taken: NDArray[np.bool_] = CELL,
) -> NDArray[np.bool_]:
    """Return what is left of a cell of which ``patch`` has the colour of haemoglobin.

    ``taken`` is what was taken for the cell.
    """
    green = np.where(CELL | patch, 0.3, 0.0).astype(np.float32)
    if granular is not None:
        grains = np.random.default_rng(0).normal(0, 1, CELL.shape).astype(np.float32)
        green[granular & taken] += 0.4 * cv2.GaussianBlur(grains, (0, 0), 1.2)[granular & taken]
    share = np.where(patch, RED, cytoplasm).astype(np.float32)
    share[NUCLEI] = 0.6
    density = np.repeat(green[..., None], 3, axis=2)
    stain = Stain(density, CELL, green * share, red_cell_density=0.3)
    return without_red_patches(taken, NUCLEI, stain, DIAMETER_PX)


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


@pytest.mark.parametrize("cytoplasm", [PALE_BLUE, PINK])
def test_a_round_cell_may_be_pink_in_a_place(cytoplasm: float) -> None:
    bite = disc(80, 124, 22) & CELL & ~NUCLEI
    assert (left_of(bite, cytoplasm) == CELL).all()
    assert left_of(bite, BLUE)[bite].mean() < 0.15


def test_beside_pink_cytoplasm_a_patch_must_be_even() -> None:
    red_cell = disc(80, 138, 22)
    whole = CELL | red_cell
    left = left_of(red_cell, PINK, granular=~red_cell, taken=whole)
    assert left[red_cell].mean() < 0.25
    assert left[CELL & ~red_cell].mean() > 0.97
    assert (left_of(red_cell, PINK, granular=whole, taken=whole) == whole).all()


def test_one_piece_is_left() -> None:
    across = CELL & ~NUCLEI & (np.abs(np.arange(SIDE_PX) - 115) < 5)
    left = left_of(across, BLUE)
    assert cv2.connectedComponents(left.view(np.uint8))[0] == 2
    assert left[MIDDLE, MIDDLE]
