"""Outlines go to edges near them, stay where there is none, and never go far."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.cell_net import N_RAYS
from naturalize.segment.snap import snapped
from naturalize.segment.star_cells import StarCells

DIAMETER, UNIT = 60.0, 0.3
ROWS, COLUMNS = np.mgrid[:160, :160]


def disc(row: float, column: float, radius: float) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(ROWS - row, COLUMNS - column) < radius)


def told(*rays: float, centre: tuple[float, float] = (80, 80)) -> StarCells:
    """Return cells at one place, each reaching as far everywhere."""
    reach = np.repeat(np.array(rays, np.float32)[:, None], N_RAYS, axis=1)
    return StarCells(
        np.array([centre] * len(rays), np.float32).reshape(-1, 2),
        reach,
        np.full(len(rays), 100),
        np.ones(len(rays), np.float32),
    )


@pytest.mark.parametrize("reach", [27, 30, 33])
def test_an_outline_goes_to_the_cells_edge(reach: float) -> None:
    density = np.where(disc(80, 80, 30), UNIT, 0).astype(np.float32)
    found = snapped(told(reach), density, DIAMETER, UNIT)
    assert np.abs(found.rays - 30).max() < 1.0


def test_a_faint_edge_within_a_pile_is_found() -> None:
    upper, lower = disc(80, 80, 30), disc(80, 115, 30)
    density = np.where(upper, UNIT, np.where(lower, 0.8 * UNIT, 0)).astype(np.float32)
    found = snapped(told(33), density, DIAMETER, UNIT)
    ends = np.roll(found.rays[0], 2)[:4]
    assert np.abs(ends - 30).max() < 1.5


def test_without_an_edge_an_outline_stays() -> None:
    density = np.full(ROWS.shape, UNIT, np.float32)
    assert np.array_equal(snapped(told(27, 33), density, DIAMETER, UNIT).rays, told(27, 33).rays)


def test_an_edge_far_away_is_not_sought() -> None:
    density = np.where(disc(80, 80, 30), UNIT, 0).astype(np.float32)
    found = snapped(told(20), density, DIAMETER, UNIT)
    assert (np.abs(found.rays / 20 - 1) <= 0.2 + 1e-6).all()


def test_cells_at_the_border_and_no_cells_are_taken() -> None:
    density = np.where(disc(0, 0, 30), UNIT, 0).astype(np.float32)
    found = snapped(told(28, centre=(0, 0)), density, DIAMETER, UNIT)
    assert np.abs(found.rays[0, : N_RAYS // 4] - 30).max() < 1.0
    assert len(snapped(told(), density, DIAMETER, UNIT)) == 0
