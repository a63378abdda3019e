"""Where nucleated cells end, on drawn cells whose outline is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment import Mask, Smear

SIDE, CENTRE, RED = 300, (150, 150), 30
SLIDE = np.array([255.0, 232.0, 208.0])
NUCLEUS = np.array([0.22, 0.10, 0.50])
RED_CELL = np.array([0.78, 0.68, 0.75])
PINK = np.array([0.95, 0.76, 0.93])
CYTOPLASM = np.array([0.73, 0.68, 0.82])


def distance(centre: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(rows - centre[0], columns - centre[1]))


def segmented(light: NDArray[np.float64]) -> Mask:
    """Draw four red cells beside ``light`` (transmitted share) and return the nucleated cell."""
    light = light.copy()
    for centre in ((40, 40), (40, 260), (260, 40), (260, 260)):
        light[distance(centre) < RED] = RED_CELL
    noise = np.random.default_rng(0).normal(0, 1.0, light.shape)
    found = Smear().segment(np.clip(SLIDE * light + noise, 0, 255).astype(np.uint8))
    return next(m for m in found if m.kind == "WBC")


def drawn(radius: int, colour: NDArray[np.float64]) -> NDArray[np.float64]:
    light = np.ones((SIDE, SIDE, 3))
    light[distance(CENTRE) < radius] = colour
    return light


def iou(mask: Mask, truth: NDArray[np.bool_]) -> float:
    seen = mask.to_image(truth.shape)
    return float((seen & truth).sum() / (seen | truth).sum())


def test_a_halo_that_fades_without_an_edge_is_no_part_of_the_cell() -> None:
    light = drawn(40, NUCLEUS)
    off = distance(CENTRE) - 40
    faded = 0.16 * np.exp(-np.maximum(off, 0) / 9)
    light = np.where((off > 0)[..., None], 1 - faded[..., None] * np.array([0.3, 1.0, 0.4]), light)
    assert iou(segmented(light), off < 0) > 0.9


def test_a_hair_is_cut_and_a_corner_is_kept() -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    hair = (abs(rows - 150) < 3) & (columns > 150) & (columns < 222)
    corner = (abs(columns - 150) < (rows - 100) * 0.8) & (rows > 100) & (rows < 150)
    cell = (distance(CENTRE) < 45) | corner
    light = np.ones((SIDE, SIDE, 3))
    light[cell | hair] = CYTOPLASM
    light[distance(CENTRE) < 28] = NUCLEUS
    mask = segmented(light)
    assert mask.box.right < 205
    assert mask.box.top < 108
    assert iou(mask, cell) > 0.93


@pytest.mark.parametrize("shown", [0.6, 0.85])
def test_a_cell_that_the_border_cuts_reaches_it_along_all_its_chord(shown: float) -> None:
    light, truth = drawn(45, CYTOPLASM), distance(CENTRE) < 45
    light[distance(CENTRE) < 28] = NUCLEUS
    end = round(CENTRE[1] - 45 + 2 * 45 * shown)
    for centre in ((40, 40), (260, 40), (40, 140), (260, 140)):
        light[distance(centre) < RED] = RED_CELL
    noise = np.random.default_rng(0).normal(0, 1.0, light.shape)
    whole = np.clip(SLIDE * light + noise, 0, 255).astype(np.uint8)
    found = Smear().segment(np.ascontiguousarray(whole[:, :end]))
    mask = next(m for m in found if m.kind == "WBC")
    assert iou(mask, truth[:, :end]) > 0.93
    assert mask.to_image((SIDE, end))[:, -1].sum() > 0.9 * truth[:, end - 1].sum()


def test_pale_cytoplasm_with_an_edge_belongs_to_the_cell() -> None:
    light = drawn(48, PINK)
    light[distance((150, 160)) < 24] = NUCLEUS
    assert iou(segmented(light), distance(CENTRE) < 48) > 0.93


def ragged(radius: int, depth: int) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    angle = np.arctan2(rows - 150, columns - 150)
    return distance(CENTRE) < radius + depth * np.sin(5 * angle)


@pytest.mark.parametrize("stain", [PINK, np.array([0.90, 0.80, 0.92])])
def test_ragged_pink_stain_around_a_dark_cell_is_left_out(stain: NDArray[np.float64]) -> None:
    light = np.ones((SIDE, SIDE, 3))
    light[ragged(53, 9)] = stain
    light[distance(CENTRE) < 42] = NUCLEUS
    assert iou(segmented(light), distance(CENTRE) < 42) > 0.8


def test_much_pale_cytoplasm_around_a_nucleus_is_a_cell_however_ragged() -> None:
    light = np.ones((SIDE, SIDE, 3))
    light[ragged(62, 8)] = PINK
    light[distance(CENTRE) < 30] = NUCLEUS
    assert iou(segmented(light), ragged(62, 8)) > 0.85
