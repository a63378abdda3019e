"""Red cells that touch, overlap or are cut in two by mistake: outlines, order, and how sure."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.bent_discs import bend, unsplit
from naturalize.segment.disc_cover import Discs
from naturalize.segment.edges import density_edges, outline_edges
from naturalize.segment.layers import covered_shares, paint
from naturalize.segment.red_cells import split_red_cells
from naturalize.segment.stain import measure_stain

Pixels = NDArray[np.bool_]
SHAPE = (300, 300)
NOWHERE_TAKEN = np.ones(SHAPE, dtype=np.bool_)


def oval(row: float, column: float, height: float, width: float) -> Pixels:
    """An ellipse with these half axes."""
    rows, columns = np.indices(SHAPE)
    return np.asarray(((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1)


def discs(*circles: tuple[float, float, float]) -> Discs:
    values = np.array(circles, dtype=np.float32)
    return Discs(values[:, :2], values[:, 2])


def iou(one: Pixels, other: Pixels) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(("height", "width"), [(30, 38), (34, 34), (40, 30)])
def test_a_disc_bends_to_the_outline_around_it(height: float, width: float) -> None:
    cell = oval(150, 150, height, width)
    edges = outline_edges(cell.astype(np.float32), NOWHERE_TAKEN, 1.5)
    found = bend(discs((153, 148, 33)), edges, SHAPE)
    painted = paint(found, SHAPE, 1, np.array([1]), (1.0,))
    assert iou(painted == 1, cell) > 0.95
    assert found.support[0] > 0.85


def test_a_disc_without_edges_stays_round() -> None:
    nothing = outline_edges(np.zeros(SHAPE, np.float32), NOWHERE_TAKEN, 1.5)
    found = bend(discs((150, 150, 30)), nothing, SHAPE)
    assert np.allclose(np.hypot(*found.outlines()[0].T), 30, atol=1e-3)
    assert found.support[0] == 0


def test_two_halves_of_one_long_cell_are_joined() -> None:
    cell = oval(150, 150, 32, 45)
    edges = outline_edges(cell.astype(np.float32), NOWHERE_TAKEN, 1.5)
    halves = bend(discs((150, 135, 31), (150, 165, 31)), edges, SHAPE)
    assert len(unsplit(halves, edges, SHAPE, 76)) == 1


def test_two_cells_one_over_the_other_stay_two() -> None:
    one, other = oval(150, 135, 36, 36), oval(150, 165, 36, 36)
    share = (one | other).astype(np.float32)
    density = 0.2 * (one.astype(np.float32) + other.astype(np.float32))
    inner = density_edges(density, one & other, 72, 0.2)
    edges = outline_edges(share, NOWHERE_TAKEN, 1.5).joined(inner)
    cells = bend(discs((150, 135, 36), (150, 165, 36)), edges, SHAPE)
    assert len(unsplit(cells, edges, SHAPE, 72)) == 2


def test_the_share_that_is_another_cells_as_well() -> None:
    nothing = outline_edges(np.zeros(SHAPE, np.float32), NOWHERE_TAKEN, 1.5)
    cells = bend(discs((100, 100, 30), (100, 130, 30), (220, 220, 30)), nothing, SHAPE)
    shared = (oval(100, 100, 30, 30) & oval(100, 130, 30, 30)).sum() / oval(100, 100, 30, 30).sum()
    assert covered_shares(cells, SHAPE) == pytest.approx([shared, shared, 0], abs=0.03)


def test_cells_that_touch_do_not_overlap() -> None:
    cells = split_red_cells(oval(150, 100, 36, 36) | oval(150, 171, 36, 36), 72)
    there = np.unique(cells.labels[cells.labels > 0])
    assert len(there) == 2
    assert cells.touching[there].all()
    assert not cells.overlapping[there].any()
    assert (cells.plain[there] > 0.8).all()


def test_the_cuts_of_a_shapeless_mass_are_not_plain() -> None:
    mass = split_red_cells(oval(150, 150, 110, 120), 72)
    there = np.unique(mass.labels[mass.labels > 0])
    assert len(there) > 4
    assert np.median(mass.plain[there]) < 0.5


def test_a_pale_centre_open_to_one_side_belongs_to_its_cell() -> None:
    ring = oval(150, 150, 40, 40) & ~oval(150, 150, 18, 18)
    ring[142:158, 165:200] = False
    labels = split_red_cells(ring, 80).labels
    assert labels[150, 150] > 0
    assert iou(labels > 0, oval(150, 150, 40, 40)) > 0.9


def test_a_large_nucleus_that_absorbs_no_blue_is_purple_and_red_cells_are_not() -> None:
    image = np.full((*SHAPE, 3), (220, 220, 215), dtype=np.uint8)
    nucleus, cell = oval(120, 150, 70, 80), oval(250, 60, 34, 34)
    image[nucleus], image[cell] = (140, 90, 225), (190, 150, 150)
    stain = measure_stain(image)
    assert stain is not None
    assert np.median(stain.purple[nucleus]) > 0.1
    assert np.median(stain.purple[cell]) < 0.05
