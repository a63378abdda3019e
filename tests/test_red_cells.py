"""Red cells are measured and cut apart as drawn, whatever the magnification and the clump."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.disc_cover import Discs, cover_with_discs
from naturalize.segment.edges import density_edges, outline_edges, votes
from naturalize.segment.pallor import fill_pallor
from naturalize.segment.red_cell_size import red_cell_diameter
from naturalize.segment.red_cells import split_red_cells
from naturalize.segment.regions import shrunk

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


@pytest.mark.parametrize("circles", [CHAIN, RING, GRID], ids=["chain", "ring", "grid"])
@pytest.mark.parametrize("share", [0.85, 1.0, 1.15])
def test_clumps_are_cut_into_their_cells(circles: tuple[Circle, ...], share: float) -> None:
    cells = split_red_cells(drawn(circles), 2 * circles[0][2] * share)
    labels, touching = cells.labels, cells.touching
    parts = own_parts(circles)
    best = [
        max(iou(labels == number, part) for number in np.unique(labels[part])) for part in parts
    ]
    assert min(best) > 0.8
    assert len(np.unique(labels)) - 1 == len(circles)
    assert touching[np.unique(labels[labels > 0])].all()


def test_the_gap_inside_a_ring_of_cells_stays_open() -> None:
    labels = split_red_cells(drawn(RING), 64).labels
    assert not labels[disc((150, 150, 25))].any()


def test_pieces_cover_the_foreground_and_nothing_else() -> None:
    foreground = drawn(CHAIN)
    cells = split_red_cells(foreground, 64)
    labels, touching = cells.labels, cells.touching
    assert iou(labels > 0, foreground) > 0.995
    assert not (labels > 0)[~foreground].any()
    assert len(touching) == labels.max() + 1
    assert not touching[0]


def test_threads_and_slivers_belong_to_no_cell() -> None:
    cell = disc((150, 110, 40))
    thread = np.zeros_like(cell)
    thread[148:152, 150:280] = True
    labels = split_red_cells(cell | thread, 80).labels
    assert iou(labels > 0, cell) > 0.98


def test_a_scrap_of_a_third_object_is_trimmed_from_a_cut_cell() -> None:
    one, other = disc((150, 110, 40)), disc((150, 188, 40))
    scrap = np.zeros_like(one)
    scrap[90:116, 104:116] = True
    cells = split_red_cells(one | other | scrap, 80)
    labels, touching = cells.labels, cells.touching
    assert touching[labels[150, 110]]
    assert iou(labels == labels[150, 110], one) > 0.95
    assert not labels[scrap & ~disc((150, 110, 46))].any()


def test_the_corner_of_slide_between_cells_at_the_border_stays_open() -> None:
    foreground = drawn(((40, 40, 45), (20, 110, 40)))
    corner = ~foreground & disc((0, 0, 40))
    labels = split_red_cells(foreground, 84).labels
    assert corner.any()
    assert not labels[corner].any()


@pytest.mark.parametrize(("height", "width"), [(30, 42), (38, 40), (44, 46)])
def test_one_oval_cell_stays_whole(height: int, width: int) -> None:
    row, column = np.indices((200, 200))
    oval = ((row - 100) / height) ** 2 + ((column - 100) / width) ** 2 < 1
    cells = split_red_cells(np.asarray(oval), 72)
    labels, touching = cells.labels, cells.touching
    assert len(np.unique(labels)) == 2
    assert not touching.any()


def test_an_edge_within_shows_a_cell_lying_on_another() -> None:
    low, high = disc((150, 120, 40)), disc((150, 160, 40))
    density = 0.2 * (low.astype(np.float32) + high.astype(np.float32))
    cells = split_red_cells(low | high, 80, density=density)
    labels, touching = cells.labels, cells.touching
    assert touching[np.unique(labels[labels > 0])].all()
    left, right = labels == labels[150, 100], labels == labels[150, 180]
    top = max(iou(left, low), iou(right, high))
    under = min(iou(left, low & ~high), iou(right, high & ~low))
    assert top > 0.95
    assert max(iou(left, low & ~high), iou(right, high & ~low)) > 0.85
    assert under < 0.8


def test_edges_of_other_objects_do_not_shape_cells() -> None:
    cell, neighbour = disc((150, 110, 40)), disc((150, 190, 55))
    plain = cell & ~neighbour
    labels = split_red_cells(plain, 80, other=neighbour).labels
    assert len(np.unique(labels)) == 2


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


def test_density_edges_are_found_inside_only() -> None:
    density = 0.2 * disc((150, 150, 40)).astype(np.float32)
    where = disc((150, 150, 60)) & (np.indices((300, 300))[0] < 150)
    edges = density_edges(density, where, 80, 0.2)
    assert len(edges) > 60
    assert (edges.points[:, 0] < 150).all()
    assert np.abs(np.hypot(*(edges.points - 150).T) - 40).max() < 2


def test_votes_meet_in_the_centre_with_the_share_of_the_circle_that_is_seen() -> None:
    share = disc((150, 150, 40)).astype(np.float32)
    half = np.indices(share.shape)[0] < 150
    for free, expected in ((np.ones(share.shape, np.bool_), 1.0), (half, 0.5)):
        edges = outline_edges(share, free, 2.0)
        seen, _ = votes(edges, 40, 0, (150, 150), 2.0, 0.2)
        assert np.abs(np.array(np.unravel_index(seen.argmax(), seen.shape)) - 75).max() <= 2
        assert expected * 0.7 < seen.max() < expected * 1.3


def test_cover_leaves_bare_slide_alone() -> None:
    cells = drawn(CHAIN)
    nowhere = Discs(np.array([[250, 60]], np.float32), np.array([32], np.float32))
    edges = outline_edges(cells.astype(np.float32), np.ones_like(cells), 2.0)
    found = cover_with_discs(cells, ~cells, edges, nowhere, 64)
    assert len(found) == len(CHAIN)
    for row, column, _ in CHAIN:
        assert np.hypot(*(found.centres - (row, column)).T).min() < 8


def test_shrunk_keeps_the_share_of_each_block() -> None:
    pixels = np.random.default_rng(0).random((13, 17)) < 0.5
    blocks = pixels[:12, :15].reshape(4, 3, 5, 3).mean(axis=(1, 3))
    assert np.allclose(shrunk(pixels, 3), blocks, atol=1e-6)
