"""The plate is found, fitted and evaluated; transmittance undoes it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize import optics
from naturalize.geometry import Box

CURVED = np.array(
    [[230, 3, -4, -2, 1, -3], [215, -2, 3, -3, 2, -1], [205, 2, 2, 1, -2, -4]], dtype=np.float64
)


def by_the_book(coefficients: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Evaluate the six terms one pixel at a time."""
    surface = np.empty((height, width, 3))
    for row in range(height):
        for column in range(width):
            y, x = (2 * row + 1) / height - 1, (2 * column + 1) / width - 1
            surface[row, column] = coefficients @ [1, y, x, y * y, x * y, x * x]
    return surface


def slide(height: int = 120, width: int = 150) -> NDArray[np.uint8]:
    """Return a bare slide with uneven light and fine noise."""
    noise = np.random.default_rng(0).normal(0, 1, (height, width, 3))
    return (by_the_book(CURVED, height, width) + noise).round().astype(np.uint8)


def with_cells(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Lay six red cells on a slide; return it and where they are."""
    row, column = np.indices(rgb.shape[:2])
    cells = np.zeros(rgb.shape[:2], dtype=bool)
    for top, left in ((25, 25), (30, 80), (35, 130), (85, 30), (90, 75), (80, 125)):
        cells |= (row - top) ** 2 + (column - left) ** 2 < 17**2
    stained = np.where(cells[..., None], rgb * [0.8, 0.65, 0.72], rgb)
    return stained.astype(np.uint8), cells


def test_surface_follows_its_formula() -> None:
    got = optics.PlateSurface(CURVED.copy()).evaluate(7, 11)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, by_the_book(CURVED, 7, 11), rtol=1e-6)


@pytest.mark.parametrize("box", [Box(0, 0, 7, 11), Box(2, 3, 4, 5), Box(6, 10, 1, 1)])
def test_box_is_bit_for_bit_the_whole(box: Box) -> None:
    surface = optics.PlateSurface(CURVED.copy())
    whole = surface.evaluate(7, 11)
    assert np.array_equal(surface.evaluate_box(box, 7, 11), whole[box.slices])


def test_surface_stays_within_an_image() -> None:
    wild = optics.PlateSurface(np.full((3, 6), 300.0)).evaluate(20, 20)
    assert wild.min() >= 1 and wild.max() <= 255


def test_surface_refuses_another_shape() -> None:
    with pytest.raises(ValueError, match=r"\(3, 6\)"):
        optics.PlateSurface(np.zeros((6, 3)))


def test_background_is_the_slide_between_cells() -> None:
    rgb, cells = with_cells(slide())
    background = optics.estimate_background(rgb)
    assert not background[cells].any()
    assert background[~cells].mean() > 0.85


@pytest.mark.parametrize("loss", [0.15, 0.35, 0.45])
def test_slide_is_found_in_the_corners_that_a_lens_darkens(loss: float) -> None:
    rgb, cells = with_cells(slide(240, 300))
    y, x = (np.linspace(-1, 1, n) for n in rgb.shape[:2])
    darkened = rgb * (1 - loss / 2 * (y[:, None] ** 2 + x**2))[..., None]
    background = optics.estimate_background(darkened.astype(np.uint8))
    assert background[~cells].mean() > 0.97
    assert background[cells].mean() < 0.1


def test_grey_things_on_a_grey_picture_are_no_slide() -> None:
    rgb = np.full((120, 150, 3), 200, np.uint8)
    rgb[30:80, 40:110] = 150
    background = optics.estimate_background(rgb)
    assert not background[32:78, 42:108].any()
    assert background[:28].all()


def test_plate_recovers_the_light_under_the_cells() -> None:
    rgb, _ = with_cells(slide())
    plate = optics.fit_plate(rgb, optics.estimate_background(rgb)).evaluate(*rgb.shape[:2])
    assert np.abs(plate - by_the_book(CURVED, *rgb.shape[:2])).max() < 2


def test_outliers_hardly_move_the_plate() -> None:
    rgb = slide()
    dirty = rgb.copy()
    dirty[::4, ::4] = 90
    everywhere = np.ones(rgb.shape[:2], dtype=bool)
    clean = optics.fit_plate(rgb, everywhere).evaluate(30, 30)
    assert np.abs(optics.fit_plate(dirty, everywhere).evaluate(30, 30) - clean).max() < 1


def test_few_pixels_in_a_corner_do_not_extrapolate() -> None:
    rgb = slide()
    corner = np.zeros(rgb.shape[:2], dtype=bool)
    corner[:12, :12] = True
    plate = optics.fit_plate(rgb, corner).evaluate(*rgb.shape[:2])
    assert np.ptp(plate, axis=(0, 1)).max() < 1e-3
    assert np.abs(plate[0, 0] - np.median(rgb[:12, :12], axis=(0, 1))).max() <= 1


def test_no_background_gives_a_flat_plate() -> None:
    rgb = slide()
    plate = optics.fit_plate(rgb, np.zeros(rgb.shape[:2], dtype=bool)).evaluate(5, 5)
    assert np.ptp(plate, axis=(0, 1)).max() == 0
    assert (plate[0, 0] > np.median(rgb, axis=(0, 1))).all()


def test_transmittance_multiplies_back() -> None:
    rgb, _ = with_cells(slide())
    plate = optics.PlateSurface(CURVED.copy()).evaluate(*rgb.shape[:2])
    assert np.allclose(optics.transmittance(rgb, plate) * plate, rgb, atol=0.01)


def test_optical_density_adds_where_transmittance_multiplies() -> None:
    plate = np.full((1, 1, 3), 200, dtype=np.float32)
    once, twice = (np.full((1, 1, 3), v, dtype=np.uint8) for v in (100, 50))
    density = optics.optical_density(once, plate)
    np.testing.assert_allclose(optics.optical_density(twice, plate), 2 * density, rtol=1e-5)
    assert optics.optical_density(np.zeros_like(once), plate).max() <= np.log10(255) + 1e-5


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (50, 50)])
@pytest.mark.parametrize("value", [0, 255])
def test_plain_images_do_not_fail(shape: tuple[int, int], value: int) -> None:
    rgb = np.full((*shape, 3), value, dtype=np.uint8)
    background = optics.estimate_background(rgb)
    assert background.shape == shape
    assert not background.any() or value == 255
    assert np.isfinite(optics.fit_plate(rgb, background).coefficients).all()


@pytest.mark.parametrize("shape", [(360, 363), (90, 1000), (41, 80), (8, 9)])
def test_interpolated_surface_is_the_surface(shape: tuple[int, int]) -> None:
    surface = optics.PlateSurface(CURVED.copy())
    quick, exact = surface.interpolated(*shape), surface.evaluate(*shape)
    assert quick.dtype == exact.dtype and quick.shape == exact.shape
    assert np.abs(quick - exact).max() < 0.5
