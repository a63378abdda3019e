"""Slide within a red cell's outline: a bay at its edge goes, a pale centre stays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.bays import without_bays

DIAMETER = 60.0
SHAPE = (200, 200)
PLACE = (slice(70, 130), slice(70, 130))
ROWS, COLUMNS = np.mgrid[:60, :60] - 29.5
RADIUS = np.hypot(ROWS, COLUMNS)
DISC = RADIUS < 30


def kept(slide: NDArray[np.bool_], place: tuple[slice, slice] = PLACE) -> NDArray[np.bool_]:
    return without_bays(DISC, slide, place, SHAPE, DIAMETER)


def test_a_crescent_of_slide_at_the_edge_goes_and_all_else_stays() -> None:
    slide = COLUMNS > 18
    found = kept(slide)
    assert not (found & slide).any()
    assert (DISC & ~slide & ~found).sum() < 0.02 * DISC.sum()


def test_a_pale_centre_stays_whole_or_open_to_the_slide_by_a_break_in_its_rim() -> None:
    pale = RADIUS < 15
    assert np.array_equal(kept(pale), DISC)
    broken = pale | ((np.abs(ROWS) < 5) & (COLUMNS > 0))
    assert np.array_equal(kept(broken), DISC)


def test_slivers_beyond_a_bay_go_with_it() -> None:
    found = kept((COLUMNS > 14) & (COLUMNS < 26))
    assert not found[:, COLUMNS[0] > 26].any()


@pytest.mark.parametrize(
    ("place", "goes"),
    [(PLACE, True), ((slice(70, 130), slice(140, 200)), False)],
)
def test_where_the_image_ends_is_no_edge(place: tuple[slice, slice], goes: bool) -> None:
    half = np.where(COLUMNS < 0, DISC, True)
    slide = (np.abs(ROWS) < 8) & (COLUMNS > 14)
    found = without_bays(half, slide, place, SHAPE, DIAMETER)
    assert (found & slide).any() != goes


def test_a_cell_without_slide_is_given_back() -> None:
    assert np.array_equal(kept(np.zeros_like(DISC)), DISC)
