"""Work on the part of an image where a mask lies comes to what work on all of it does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from naturalize.segment.regions import (
    bounds,
    count_pixels,
    find_boxes,
    inner_distance,
    label_areas,
    label_regions,
    near,
    opened,
    tightened,
)

SHAPE = (40, 60)
PLACES = (np.s_[0:0, 0:0], np.s_[10:20, 30:45], np.s_[0:9, 50:60], np.s_[:, :])


def speckled(place: tuple[slice, slice]) -> NDArray[np.bool_]:
    pixels = np.zeros(SHAPE, dtype=np.bool_)
    pixels[place] = np.random.default_rng(0).random(pixels[place].shape) < 0.7
    return pixels


@pytest.mark.parametrize("place", PLACES)
def test_labels_areas_and_boxes_are_those_of_the_whole_image(place: tuple[slice, slice]) -> None:
    pixels = speckled(place)
    labels, stats = label_regions(pixels, connectivity=4)
    expected, count = ndimage.label(pixels)
    assert len(stats) == count + 1
    assert stats[:, 4].tolist() == np.bincount(labels.ravel()).tolist()
    assert sorted(stats[1:, 4]) == sorted(np.bincount(expected.ravel())[1:])
    for number, (left, top, width, height, area) in enumerate(stats.tolist()):
        if number:
            inside = labels[top : top + height, left : left + width] == number
            assert np.count_nonzero(inside) == area
    assert label_areas(pixels, connectivity=4)[1].tolist() == stats[:, 4].tolist()


@pytest.mark.parametrize("place", PLACES)
def test_distances_are_those_on_the_whole_image(place: tuple[slice, slice]) -> None:
    pixels = speckled(place)
    exact = ndimage.distance_transform_edt(pixels)
    np.testing.assert_allclose(inner_distance(pixels), exact, rtol=0.03)
    for reach in (0.5, 3.7, 200.0):
        wide = inner_distance(~pixels) < reach if pixels.any() else np.zeros(SHAPE, dtype=np.bool_)
        assert np.array_equal(near(pixels, reach), wide)
    assert np.count_nonzero(pixels[bounds(pixels)]) == np.count_nonzero(pixels)


@pytest.mark.parametrize("n_labels", [1, 300, 70_000])
def test_pixels_are_counted_as_numpy_counts_them(n_labels: int) -> None:
    labels = np.random.default_rng(1).integers(0, n_labels, SHAPE, dtype=np.int32)
    expected = np.bincount(labels.ravel(), minlength=n_labels)
    assert np.array_equal(count_pixels(labels, n_labels), expected)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("width_px", [0.4, 3, 6.6])
def test_a_mask_is_opened_as_if_it_went_on_beyond_its_array(
    place: tuple[slice, slice], width_px: float
) -> None:
    pixels = speckled(place)
    side = round(width_px) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) > 0
    framed = np.pad(pixels, 3 * side, mode="edge")
    expected = ndimage.binary_opening(framed, disc)[3 * side : -3 * side, 3 * side : -3 * side]
    assert np.array_equal(opened(pixels, width_px), expected)


def test_a_box_is_tightened_to_what_is_left_in_it() -> None:
    labels = np.zeros(SHAPE, dtype=np.int32)
    labels[5:30, 8:40] = 1
    kept = np.zeros((25, 32), dtype=np.bool_)
    kept[3:9, 2:20] = True
    (place,) = find_boxes(labels)
    assert place is not None
    labels[place][~kept] = 0
    assert tightened(place, kept) == find_boxes(labels)[0]
    assert tightened(place, np.zeros_like(kept)) is None
