"""Gaps found by their outlines are the connected regions of what a mask leaves free."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from naturalize.segment.gaps import find_gaps, gap_within, n_cut_sides


def clouds(seed: int) -> NDArray[np.bool_]:
    """Return a mask with gaps of any size and shape, gaps in islands in gaps among them."""
    rng = np.random.default_rng(seed)
    noise = rng.random(rng.integers(3, 60, 2))
    smooth = cv2.GaussianBlur(noise, (0, 0), 0.3 + 1.5 * rng.random())
    return np.asarray(smooth > np.quantile(smooth, rng.random()))


@pytest.mark.parametrize("seed", range(40))
def test_gaps_are_the_regions_outside_of_a_mask(seed: int) -> None:
    pixels = clouds(seed)
    labels, count = ndimage.label(~pixels)
    expected = {(labels == i).tobytes() for i in range(1, count + 1)}
    found = set()
    for place in find_gaps(pixels):
        whole = np.zeros_like(pixels)
        whole[place] = gap_within(pixels[place])
        found.add(whole.tobytes())
    assert len(find_gaps(pixels)) == count
    assert found == expected


@pytest.mark.parametrize("full", [True, False])
def test_masks_of_one_value_have_no_gap_or_one(full: bool) -> None:
    pixels = np.full((4, 7), full)
    assert find_gaps(pixels) == ([] if full else [(slice(0, 4), slice(0, 7))])


def test_sides_on_the_border_are_counted() -> None:
    assert n_cut_sides((slice(1, 3), slice(1, 3)), (4, 4)) == 0
    assert n_cut_sides((slice(0, 4), slice(0, 4)), (4, 4)) == 4
    assert n_cut_sides((slice(1, 4), slice(1, 3)), (4, 9)) == 1
