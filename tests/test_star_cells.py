"""Votes for a centre, as a perfect network would cast them, give back the cells they are of."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.cell_net import COARSE, N_RAYS, SEEN, Sight
from naturalize.segment.star_cells import (
    covered_shares,
    find_star_cells,
    insides,
    paint,
    part_regions,
)

Oval = tuple[float, float, float, float]
SIDE = 160
APART = ((40.0, 40.0, 16.0, 16.0), (40.0, 110.0, 14.0, 20.0), (115.0, 60.0, 18.0, 13.0))
PILED = ((60.0, 60.0, 16.0, 16.0), (60.0, 80.0, 16.0, 16.0), (78.0, 70.0, 15.0, 18.0))
CUT = ((5.0, 80.0, 16.0, 16.0), (158.0, 150.0, 17.0, 17.0))


def rays(oval: Oval) -> NDArray[np.float64]:
    """Return how far an oval reaches in the middle of each sector."""
    angle = (np.arange(N_RAYS) + 0.5) * (2 * np.pi / N_RAYS)
    return 1 / np.hypot(np.sin(angle) / oval[2], np.cos(angle) / oval[3])


def inside(oval: Oval, rows: NDArray, columns: NDArray) -> NDArray[np.bool_]:
    return ((rows - oval[0]) / oval[2]) ** 2 + ((columns - oval[1]) / oval[3]) ** 2 < 1


def perfect_sight(ovals: tuple[Oval, ...], kind: str = "RBC", *, scale: float = 1.0) -> Sight:
    """Return what a network that makes no mistake says of ovals, the later on the earlier."""
    rows, columns = np.indices((SIDE, SIDE)).astype(float)
    shares = np.zeros((len(SEEN), SIDE, SIDE), np.float32)
    shares[0] = 1
    places = SIDE // COARSE
    centres = np.zeros((2, places, places), np.float32)
    reach = np.zeros((N_RAYS, places, places), np.float32)
    for oval in ovals:
        own = inside(oval, rows, columns)
        shares[:, own] = 0
        shares[SEEN.index(kind), own] = 1
        voting = own[1::COARSE, 1::COARSE]
        centres[:, voting] = np.array(oval[:2])[:, None]
        reach[:, voting] = rays(oval)[:, None]
    return Sight(shares, centres, reach, (scale, scale))


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("ovals", [APART, PILED, CUT], ids=["apart", "piled", "cut"])
def test_every_cell_is_found_once_whole(ovals: tuple[Oval, ...]) -> None:
    cells = find_star_cells(perfect_sight(ovals), "RBC")
    assert len(cells) == len(ovals)
    rows, columns = np.indices((SIDE, SIDE)).astype(float)
    for oval in ovals:
        nearest = np.hypot(*(cells.centres - np.array(oval[:2])).T).argmin()
        only = cells.chosen(np.array([nearest]))
        drawn = paint(only, (SIDE, SIDE), margins=(1.0,)) > 0
        assert iou(drawn, inside(oval, rows, columns)) > 0.93


def test_cells_are_told_in_pixels_of_the_image() -> None:
    small = find_star_cells(perfect_sight(APART), "RBC")
    large = find_star_cells(perfect_sight(APART, scale=2.5), "RBC")
    assert np.allclose(large.rays, 2.5 * small.rays)
    assert np.allclose(large.centres + 0.5, 2.5 * (small.centres + 0.5))


def test_other_kinds_do_not_vote() -> None:
    assert len(find_star_cells(perfect_sight(APART, "PLT"), "RBC")) == 0
    assert len(find_star_cells(perfect_sight(()), "RBC")) == 0


def test_votes_that_agree_are_surer() -> None:
    sight = perfect_sight(APART)
    noise = np.random.default_rng(0).normal(0, 3, sight.centres.shape).astype(np.float32)
    unsure = Sight(sight.shares, sight.centres + noise, sight.rays, sight.scale)
    sure, less = find_star_cells(sight, "RBC"), find_star_cells(unsure, "RBC")
    assert sure.agreement.min() > 0.95
    assert len(less) == len(sure)
    assert less.agreement.max() < sure.agreement.min()


def test_what_others_cover_is_told() -> None:
    apart, piled = (find_star_cells(perfect_sight(o), "RBC") for o in (APART, PILED))
    assert covered_shares(insides(apart, (SIDE, SIDE)), (SIDE, SIDE)).max() < 0.02
    assert covered_shares(insides(piled, (SIDE, SIDE)), (SIDE, SIDE)).min() > 0.1


def test_a_region_of_two_cells_is_parted_and_one_of_one_is_not() -> None:
    ovals = ((50.0, 50.0, 20.0, 20.0), (50.0, 89.0, 20.0, 20.0), (120.0, 80.0, 20.0, 20.0))
    rows, columns = np.indices((SIDE, SIDE)).astype(float)
    regions = np.zeros((SIDE, SIDE), np.int32)
    for number, oval in zip((1, 1, 2), ovals, strict=True):
        regions[inside(oval, rows, columns)] = number
    regions[48:52, 60:80] = 1
    parted = part_regions(regions, find_star_cells(perfect_sight(ovals, "WBC"), "WBC"), 20)
    assert np.array_equal(parted > 0, regions > 0)
    assert parted[50, 40] != parted[50, 100]
    assert (parted[regions == 2] == 2).all()
    for oval in ovals:
        assert iou(parted == parted[int(oval[0]), int(oval[1])], inside(oval, rows, columns)) > 0.9
