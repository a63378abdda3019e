"""A dark body loses the pale veil around it; pale cytoplasm stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.stain import Stain
from naturalize.segment.veils import without_veil

DIAMETER_PX, UNIT = 60.0, 0.3
SIDE_PX = 160
CELL_RADIUS = 50


def disc(radius: int) -> NDArray[np.bool_]:
    canvas = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    cv2.circle(canvas, (80, 80), radius, 1, -1)
    return canvas > 0


CELL = disc(CELL_RADIUS)
PATCHES = np.where(np.indices((SIDE_PX, SIDE_PX)).sum(axis=0) // 8 % 5 < 2, 0.1, 1.0)
"""By what smeared stain is thinner here and there; two fifths of it."""


def left_of(
    nucleus: NDArray[np.bool_],
    density: float,
    purple: float,
    *,
    patchy: bool = True,
    overexposed: bool = False,
) -> NDArray[np.bool_]:
    """Return what is left of a cell around whose nucleus lies stain of some density and purple.

    Both in units of a red cell's density, where it is thickest.
    """
    patches = PATCHES if patchy else np.ones_like(PATCHES)
    around = np.where(CELL, patches, 0.0)
    green = UNIT * np.where(nucleus, 6.0, density * around).astype(np.float32)
    shade = UNIT * np.where(nucleus, 3.0, purple * around).astype(np.float32)
    stain = Stain(np.repeat(green[..., None], 3, axis=2), CELL, shade, UNIT, overexposed)
    return without_veil(CELL, nucleus, stain, DIAMETER_PX)


@pytest.mark.parametrize(("density", "purple"), [(1.1, 0.2), (0.7, 0.1), (0.4, 0.05), (0.2, 0.15)])
def test_a_veil_around_a_dark_body_is_left_out(density: float, purple: float) -> None:
    body = disc(40)
    left = left_of(body, density, purple)
    assert left[body].mean() > 0.98
    assert left[CELL & ~body].mean() < 0.02


def test_a_halo_is_left_out_around_any_nucleus() -> None:
    nucleus = disc(25)
    assert left_of(nucleus, 0.2, 0.1)[CELL & ~nucleus].mean() < 0.02


@pytest.mark.parametrize(
    ("radius", "density", "purple"),
    [
        pytest.param(40, 1.6, 0.1, id="dense"),
        pytest.param(40, 0.7, 0.4, id="blue"),
        pytest.param(20, 0.6, 0.1, id="little nucleus"),
        pytest.param(49, 0.6, 0.1, id="a blurred edge"),
        pytest.param(0, 0.2, 0.1, id="no nucleus"),
        pytest.param(CELL_RADIUS, 0.2, 0.1, id="nothing but nucleus"),
    ],
)
def test_cytoplasm_stays(radius: int, density: float, purple: float) -> None:
    nucleus = disc(radius) if radius else np.zeros_like(CELL)
    assert (left_of(nucleus, density, purple) == CELL).all()


def test_a_lobed_nucleus_is_no_dark_body() -> None:
    lobes = disc(46)
    lobes[:80, 65:95] = False
    assert (left_of(lobes, 0.7, 0.1) == CELL).all()


def test_granules_and_the_gaps_between_them_are_one_body() -> None:
    body, gaps = disc(40), np.zeros_like(CELL)
    gaps[::12] = gaps[:, ::12] = True
    left = left_of(body & ~gaps, 0.7, 0.1)
    assert left[body].mean() > 0.98
    assert left[CELL & ~body].mean() < 0.04


def test_even_cytoplasm_is_no_veil() -> None:
    assert (left_of(disc(40), 0.7, 0.1, patchy=False) == CELL).all()


def test_on_an_overexposed_picture_all_stays() -> None:
    assert (left_of(disc(40), 0.4, 0.1, overexposed=True) == CELL).all()
