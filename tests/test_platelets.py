"""Platelets drawn on drawn slides: who is one, and where it ends."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment import Mask, Smear

SLIDE = (250.0, 228.0, 202.0)
RED, AZURE, GREY, EOSIN = (0.8, 0.7, 0.76), (0.5, 0.4, 0.9), (0.7, 0.7, 0.7), (0.95, 0.6, 0.8)
RADIUS, SMALL = 30, 11
RED_CELLS = ((45, 50), (60, 250), (250, 45), (255, 245), (150, 90))
ALONE, ON_CELL, ON_EDGE = (150, 200), RED_CELLS[-1], (150, 90 + RADIUS)


def disc(centre: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    """Return a disc on a canvas of 300 by 300."""
    row, column = np.indices((300, 300))
    return np.asarray((row - centre[0]) ** 2 + (column - centre[1]) ** 2 < radius**2)


def seen(
    body: NDArray[np.bool_],
    colour: tuple[float, float, float] | NDArray[np.float64],
    *,
    blur_px: float = 1.0,
    strength: float = 1.0,
) -> NDArray[np.uint8]:
    """Return a picture of five red cells and, over them, ``body``."""
    image = np.ones((300, 300, 3)) * SLIDE
    for centre in RED_CELLS:
        image[disc(centre, RADIUS)] *= RED
    image[body] *= np.power(colour, strength)
    noise = np.random.default_rng(1).normal(0, 1.5, image.shape)
    blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), blur_px)) + noise
    return blurred.clip(0, 255).round().astype(np.uint8)


def platelets(rgb: NDArray[np.uint8]) -> list[Mask]:
    return [mask for mask in Smear().segment(rgb) if mask.kind == "PLT"]


def iou(mask: Mask, body: NDArray[np.bool_]) -> float:
    found = mask.to_image(body.shape)
    return float((found & body).sum() / (found | body).sum())


@pytest.mark.parametrize("centre", [ALONE, ON_CELL, ON_EDGE, (150, 299), (0, 150)])
def test_a_platelet_ends_at_its_own_edge(centre: tuple[int, int]) -> None:
    body = disc(centre, SMALL)
    (found,) = platelets(seen(body, AZURE))
    assert iou(found, body) > 0.75


@pytest.mark.parametrize("strength", [0.7, 1.0, 2.0])
def test_the_outline_does_not_widen_with_density(strength: float) -> None:
    body = disc(ALONE, SMALL)
    (found,) = platelets(seen(body, AZURE, strength=strength, blur_px=2.0))
    assert found.area_px == pytest.approx(body.sum(), rel=0.35)


@pytest.mark.parametrize("centre", [ALONE, ON_CELL, ON_EDGE])
@pytest.mark.parametrize("colour", [GREY, EOSIN, RED])
def test_dirt_granules_and_thick_red_cells_are_none(
    centre: tuple[int, int], colour: tuple[float, float, float]
) -> None:
    assert not platelets(seen(disc(centre, SMALL), colour))


def test_slivers_of_red_cells_at_the_border_are_none() -> None:
    assert not platelets(seen(disc((310, 150), RADIUS), RED))


def test_faint_specks_are_none() -> None:
    assert not platelets(seen(disc(ALONE, 2), AZURE, strength=0.3))


def test_two_that_touch_are_two() -> None:
    one, other = disc((150, 190), SMALL), disc((150, 190 + 2 * SMALL + 1), SMALL)
    found = platelets(seen(one | other, AZURE))
    assert len(found) == 2
    for body in (one, other):
        assert max(iou(mask, body) for mask in found) > 0.7


def test_hairs_do_not_belong_to_it() -> None:
    body = disc(ALONE, SMALL)
    hair = np.zeros_like(body)
    hair[149:151, 200:235] = True
    (found,) = platelets(seen(body | hair, AZURE))
    assert iou(found, body) > 0.75


def test_pale_notches_belong_to_it() -> None:
    body = disc(ALONE, 2 * SMALL)
    notches = np.zeros_like(body)
    for row in (140, 150, 160):
        notches[row - 3 : row + 3, 210:] = True
    faint = np.where((body & notches)[..., None], np.power(AZURE, 0.05), AZURE)
    (found,) = platelets(seen(body, faint[body]))
    assert found.score > 0.95
    assert iou(found, body) > 0.94


def test_a_large_granular_one_is_no_nucleus() -> None:
    body = disc(ALONE, 0.8 * RADIUS)
    grains = np.random.default_rng(0).random((75, 75)) < 0.5
    grains = cv2.resize(grains.astype(np.uint8), (300, 300), interpolation=cv2.INTER_NEAREST) > 0
    colour = np.where((body & grains)[..., None], (0.5, 0.3, 0.75), (0.7, 0.55, 0.88))
    picture = seen(body, colour[body])
    masks = [mask for mask in Smear().segment(picture) if mask.kind != "RBC"]
    assert [mask.kind for mask in masks] == ["PLT"]
    assert iou(masks[0], body) > 0.85
