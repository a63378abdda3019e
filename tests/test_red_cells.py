"""Red cells are measured and cut apart as drawn, whatever the magnification and the clump."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.cell_net import N_RAYS
from naturalize.segment.edges import outline_edges, votes
from naturalize.segment.pallor import fill_pallor
from naturalize.segment.red_cell_size import red_cell_diameter
from naturalize.segment.red_cells import split_red_cells
from naturalize.segment.regions import shrunk
from naturalize.segment.star_cells import StarCells

Circle = tuple[float, float, float]
CHAIN = ((100.0, 60.0, 32.0), (100.0, 115.0, 32.0), (100.0, 170.0, 32.0), (145.0, 205.0, 32.0))
RING = tuple(
    (150 + 78 * float(np.sin(a)), 150 + 78 * float(np.cos(a)), 32.0)
    for a in np.arange(8) * (np.pi / 4)
)
GRID = tuple((45.0 + 68 * i, 45.0 + 68 * j, 36.0) for i in range(4) for j in range(4))


def disc(circle: Circle, side: int = 300) -> NDArray[np.bool_]:
    row, column = np.indices((side, side))
    centre_row, centre_column, radius = circle
    return np.asarray((row - centre_row) ** 2 + (column - centre_column) ** 2 < radius**2)


def drawn(circles: tuple[Circle, ...], side: int = 300) -> NDArray[np.bool_]:
    return np.any([disc(circle, side) for circle in circles], axis=0)


def own_parts(circles: tuple[Circle, ...]) -> list[NDArray[np.bool_]]:
    """Return each disc without what lies nearer to another one's centre."""
    row, column = np.indices((300, 300))
    away = np.array([np.hypot(row - r, column - c) for r, c, _ in circles])
    return [disc(circle) & (away.argmin(axis=0) == i) for i, circle in enumerate(circles)]


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("circles", [CHAIN, RING, GRID], ids=["chain", "ring", "grid"])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_diameter_of_clumped_cells(circles: tuple[Circle, ...], factor: float) -> None:
    scaled = tuple((r * factor, c * factor, radius * factor) for r, c, radius in circles)
    foreground = drawn(scaled, round(300 * factor))
    nothing = np.zeros_like(foreground)
    found = red_cell_diameter(foreground, nothing, nothing)
    assert found is not None
    assert 0.85 < found / (2 * circles[0][2] * factor) < 1.2


def test_a_wide_round_clearing_among_cells_is_no_pale_centre() -> None:
    around = tuple(
        (200 + 140 * float(np.sin(a)), 200 + 140 * float(np.cos(a)), 30.0)
        for a in np.arange(18) * (np.pi / 9)
    )
    foreground = drawn(around, 400)
    nothing = np.zeros_like(foreground)
    found = red_cell_diameter(foreground, nothing, nothing)
    assert found is not None
    assert 0.8 < found / 60 < 1.25


def test_diameter_of_nothing_is_unknown() -> None:
    nothing = np.zeros((200, 200), dtype=np.bool_)
    assert red_cell_diameter(nothing, nothing, nothing) is None


def stars(circles: tuple[Circle, ...], *, size: float = 1.0, off: float = 0.0) -> StarCells:
    """Return circles as a network tells them: too large or too small, off their place."""
    table = np.array(circles, np.float32)
    rays = np.repeat(table[:, 2:] * np.float32(size), N_RAYS, axis=1)
    sure = np.linspace(0.6, 0.9, len(table)).astype(np.float32)
    return StarCells(table[:, :2] + np.float32(off), rays, np.full(len(table), 100), sure)


@pytest.mark.parametrize("circles", [CHAIN, RING, GRID], ids=["chain", "ring", "grid"])
@pytest.mark.parametrize(("size", "off"), [(0.93, 1.5), (1.0, 0.0), (1.06, -1.5)])
def test_clumps_are_cut_into_their_cells(
    circles: tuple[Circle, ...], size: float, off: float
) -> None:
    told = stars(circles, size=size, off=off)
    cells = split_red_cells(drawn(circles), told, 2 * circles[0][2])
    labels, touching = cells.labels, cells.touching
    best = [
        max(iou(labels == number, part) for number in np.unique(labels[part]))
        for part in own_parts(circles)
    ]
    assert min(best) > 0.8
    assert len(np.unique(labels)) - 1 == len(circles)
    assert touching[np.unique(labels[labels > 0])].all()


def test_the_gap_inside_a_ring_of_cells_stays_open() -> None:
    labels = split_red_cells(drawn(RING), stars(RING), 64).labels
    assert not labels[disc((150, 150, 25))].any()


def test_pieces_cover_the_foreground_and_nothing_else() -> None:
    foreground = drawn(CHAIN)
    cells = split_red_cells(foreground, stars(CHAIN), 64)
    assert iou(cells.labels > 0, foreground) > 0.98
    assert not (cells.labels > 0)[~foreground].any()
    assert len(cells.touching) == len(cells.agreement) == len(CHAIN) + 1
    assert not cells.touching[0]


def test_what_no_cell_lies_on_is_none() -> None:
    cell, dirt = (150.0, 90.0, 40.0), (150.0, 220.0, 30.0)
    labels = split_red_cells(drawn((cell, dirt)), stars((cell,)), 80).labels
    assert iou(labels > 0, disc(cell)) > 0.98


def test_threads_and_slivers_belong_to_no_cell() -> None:
    cell = disc((150, 110, 40))
    thread = np.zeros_like(cell)
    thread[148:152, 150:280] = True
    labels = split_red_cells(cell | thread, stars(((150.0, 110.0, 40.0),)), 80).labels
    assert iou(labels > 0, cell) > 0.98


def test_what_hangs_on_a_lone_cell_is_not_of_it() -> None:
    cell, other = disc((150, 110, 40)), disc((150, 190, 38))
    labels = split_red_cells(cell | other, stars(((150.0, 110.0, 40.0),)), 80).labels
    assert (labels > 0)[cell].mean() > 0.98
    assert not labels[150, 180:].any()


@pytest.mark.parametrize(("height", "width"), [(30, 42), (38, 40), (44, 46)])
def test_a_lone_cell_has_its_own_outline_not_the_one_told(height: int, width: int) -> None:
    row, column = np.indices((200, 200))
    oval = np.asarray(((row - 100) / height) ** 2 + ((column - 100) / width) ** 2 < 1)
    radius = (height * width) ** 0.5
    cells = split_red_cells(oval, stars(((100.0, 100.0, radius),)), 72)
    assert iou(cells.labels > 0, oval) > 0.98
    assert not cells.touching.any()


def test_of_overlapping_cells_the_surer_one_keeps_the_overlap() -> None:
    under, over = (150.0, 110.0, 40.0), (150.0, 165.0, 40.0)
    cells = split_red_cells(drawn((under, over)), stars((under, over)), 80)
    lens = disc(under) & disc(over)
    assert (cells.labels[lens] == 2).mean() > 0.9
    assert iou(cells.labels == 2, disc(over)) > 0.95
    assert iou(cells.labels == 1, disc(under) & ~disc(over)) > 0.9
    assert cells.overlapping[1:].all()


def test_overlapping_cells_are_told_whole_and_others_are_not() -> None:
    under, over, single = (150.0, 80.0, 40.0), (150.0, 135.0, 40.0), (60.0, 240.0, 40.0)
    circles = under, over, single
    cells = split_red_cells(drawn(circles), stars(circles), 80)
    assert set(cells.whole) == {1, 2}
    for number, circle in ((1, under), (2, over)):
        place, pixels = cells.whole[number]
        image = np.zeros((300, 300), dtype=np.bool_)
        image[place] = pixels
        assert iou(image, disc(circle)) > 0.95


@pytest.mark.parametrize("blur_px", [1.0, 3.0])
@pytest.mark.parametrize("strength", [0.1, 0.4])
def test_a_cell_out_of_focus_ends_where_it_absorbs_half(blur_px: float, strength: float) -> None:
    cell = disc((150, 150, 40))
    sharp = (strength * cell).astype(np.float32)
    density = np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur_px), np.float32)
    told = stars(((150.0, 150.0, 43.0),))
    labels = split_red_cells(density > 0.15 * strength, told, 80, density=density).labels
    assert iou(labels > 0, cell) > 0.97


def test_other_objects_are_left_alone() -> None:
    cell, neighbour = (150.0, 110.0, 40.0), disc((150, 180, 45))
    plain = disc(cell) & ~neighbour
    labels = split_red_cells(plain, stars((cell,)), 80, other=neighbour).labels
    assert iou(labels > 0, plain) > 0.95
    assert not labels[neighbour].any()


def test_no_cells_leave_nothing() -> None:
    nobody = stars(((0.0, 0.0, 1.0),)).chosen(np.zeros(0, np.int64))
    assert not split_red_cells(drawn(CHAIN), nobody, 64).labels.any()


def test_pale_centres_are_filled_even_through_a_narrow_break() -> None:
    cell, pallor = disc((150, 150, 40)), disc((150, 150, 16))
    broken = cell & ~pallor
    broken[148:151, 150:200] = False
    assert iou(fill_pallor(cell & ~pallor, 80), cell) == 1
    assert iou(fill_pallor(broken, 80), cell) > 0.97


def test_outline_edges_lie_on_a_circle_and_point_inward() -> None:
    share = disc((150, 150, 40)).astype(np.float32)
    edges = outline_edges(share, np.ones(share.shape, np.bool_), 2.0)
    away = np.array([150, 150]) - edges.points
    distance = np.hypot(*away.T)
    assert np.abs(distance - 40).max() < 1
    assert ((away * edges.inward).sum(axis=1) / distance).min() > 0.98


def test_votes_meet_in_the_centre_with_the_share_of_the_circle_that_is_seen() -> None:
    share = disc((150, 150, 40)).astype(np.float32)
    half = np.indices(share.shape)[0] < 150
    for free, expected in ((np.ones(share.shape, np.bool_), 1.0), (half, 0.5)):
        edges = outline_edges(share, free, 2.0)
        seen, _ = votes(edges, 40, 0, (150, 150), 2.0, 0.2)
        assert np.abs(np.array(np.unravel_index(seen.argmax(), seen.shape)) - 75).max() <= 2
        assert expected * 0.7 < seen.max() < expected * 1.3


def test_shrunk_keeps_the_share_of_each_block() -> None:
    pixels = np.random.default_rng(0).random((13, 17)) < 0.5
    blocks = pixels[:12, :15].reshape(4, 3, 5, 3).mean(axis=(1, 3))
    assert np.allclose(shrunk(pixels, 3), blocks, atol=1e-6)
