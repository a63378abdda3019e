"""A nucleated cell ends where its cytoplasm does, whatever the network took along with it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.segment.cell_net import COARSE, N_RAYS, SEEN, Sight
from naturalize.segment.nucleated_cells import (
    find_cells,
    with_cytoplasm_settled,
    with_nuclei_settled,
)
from naturalize.segment.nucleus import PurpleParts
from naturalize.segment.stain import Stain

SIDE, RADIUS = 160, 32.0
CYTOPLASM = (0.3, 0.25)
"""Green density, and the density that haemoglobin does not explain."""


def disc(row: float, column: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.indices((SIDE, SIDE))
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 < radius**2)


CELL, NUCLEUS, BESIDE = disc(80, 60, RADIUS), disc(80, 60, 14), disc(80, 106, 17)
VACUOLE, HALO = disc(62, 60, 6), CELL & ~disc(80, 60, 27)
NOTHING = np.zeros_like(CELL)


def sight(voting: NDArray[np.bool_]) -> Sight:
    """Return what a network says that sees one round cell, for which the pixels ``voting`` vote."""
    places = (SIDE // COARSE, SIDE // COARSE)
    shares = np.zeros((len(SEEN), SIDE, SIDE), np.float32)
    shares[SEEN.index("slide")] = ~voting
    shares[SEEN.index("WBC")] = voting
    centres = np.full((2, *places), 80, np.float32)
    centres[1] = 60
    return Sight(shares, centres, np.full((N_RAYS, *places), RADIUS, np.float32), (1.0, 1.0))


def found(
    beside: tuple[float, float],
    voting: NDArray[np.bool_] = CELL,
    faint: NDArray[np.bool_] = NOTHING,
    spur: NDArray[np.bool_] = NOTHING,
) -> NDArray[np.bool_]:
    """Return the cell found where ``beside`` it lies something that was taken for part of it.

    What is ``faint`` of the cell absorbs as little as a halo does; a ``spur`` is stained as it is.
    """
    density = np.zeros((SIDE, SIDE, 3), np.float32)
    purple = np.zeros((SIDE, SIDE), np.float32)
    for where, (absorbed, azure) in (
        (BESIDE, beside),
        (CELL | spur, CYTOPLASM),
        (NUCLEUS, (0.9, 0.8)),
    ):
        density[where], purple[where] = absorbed, azure
    density[faint], purple[faint] = 0.02, 0.01
    stain = Stain(density, density[..., 1] > 0.02, purple, 0.3)
    shown = np.where(CELL | BESIDE | spur, np.uint8(SEEN.index("WBC")), np.uint8(0))
    nuclei = NUCLEUS.astype(np.int32)
    parts = PurpleParts(nuclei, np.zeros_like(CELL))
    return find_cells(shown, sight(voting), parts, stain, 50.0) > 0


@pytest.mark.parametrize(
    "beside", [(0.08, 0.06), (0.3, 0.02)], ids=["a pale veil", "a red cell as dark"]
)
def test_what_is_no_cytoplasm_is_left_out(beside: tuple[float, float]) -> None:
    cell = found(beside)
    assert cell[CELL].mean() > 0.99
    assert (cell & BESIDE & ~CELL).sum() < 0.15 * BESIDE.sum()


def test_cytoplasm_beyond_the_outline_told_is_kept() -> None:
    cell = found(CYTOPLASM)
    assert cell[CELL | BESIDE].mean() > 0.98


def test_a_halo_is_left_out() -> None:
    cell = found(CYTOPLASM, faint=HALO)
    assert cell[CELL & ~HALO].mean() > 0.98
    assert cell[HALO & ~BESIDE].mean() < 0.05


def test_a_vacuole_is_kept() -> None:
    assert found(CYTOPLASM, faint=VACUOLE)[CELL].mean() > 0.98


def test_a_cell_of_which_no_outline_is_told_stays_whole() -> None:
    cell = found((0.08, 0.06), voting=NOTHING)
    assert cell[CELL | BESIDE].mean() > 0.98


@pytest.mark.parametrize(
    ("density", "grain", "kind"),
    [
        pytest.param(6.0, 0.1, "WBC", id="dark and even"),
        pytest.param(2.0, 0.1, "PLT", id="pale"),
        pytest.param(6.0, 3.0, "PLT", id="dark and granular"),
    ],
)
def test_a_small_body_dark_and_even_as_a_nucleus_is_no_platelet(
    density: float, grain: float, kind: str
) -> None:
    body, grains = disc(80, 60, 15), np.random.default_rng(0).normal(size=(SIDE, SIDE))
    seen = 0.3 * (density + grain * cv2.GaussianBlur(grains, (0, 0), 1) * 3)
    green = np.where(body, seen, 0).astype(np.float32)
    purple = (0.6 * green).astype(np.float32)
    stain = Stain(np.repeat(green[..., None], 3, axis=2), body, purple, 0.3)
    shown = np.where(body, np.uint8(SEEN.index("PLT")), np.uint8(0))
    parts = PurpleParts(body.astype(np.int32), NOTHING)
    settled = with_nuclei_settled(shown, parts, stain, 50.0)
    assert set(settled[body]) == {SEEN.index(kind)}
    assert not settled[~body].any()


@pytest.mark.parametrize(("share", "whole"), [(0.7, True), (0.3, False)])
def test_a_nucleus_mostly_told_a_cells_is_so_wholly(share: float, whole: bool) -> None:
    told = NUCLEUS & (np.arange(SIDE)[:, None] < np.quantile(np.nonzero(NUCLEUS)[0], share))
    shown = np.where(NUCLEUS, np.uint8(SEEN.index("RBC")), np.uint8(0))
    shown[told] = SEEN.index("WBC")
    stain = Stain(np.zeros((SIDE, SIDE, 3), np.float32), NUCLEUS, NUCLEUS * np.float32(1), 0.3)
    parts = PurpleParts(NUCLEUS.astype(np.int32), NOTHING)
    settled = with_nuclei_settled(shown, parts, stain, 50.0)
    assert (settled[NUCLEUS] == SEEN.index("WBC")).all() == whole
    assert (settled[~NUCLEUS] == 0).all()
    assert (settled == shown).all() == (not whole)


def evenly(purple: float) -> Stain:
    """Return stain that is the same everywhere, ``purple`` its share that is no haemoglobin's."""
    density = np.full((SIDE, SIDE, 3), 0.3, np.float32)
    return Stain(density, density[..., 0] > 0, np.float32(purple) * density[..., 1], 0.3)


@pytest.mark.parametrize(("kind", "slice_kind"), [("WBC", "PLT"), ("PLT", "WBC")])
def test_a_slice_told_otherwise_is_the_bodys_that_a_nucleus_tells(
    kind: str, slice_kind: str
) -> None:
    body = disc(80, 80, 30)
    shown = np.where(body, np.uint8(SEEN.index(kind)), np.uint8(0))
    shown[body & (np.arange(SIDE)[None, :] > 95)] = SEEN.index(slice_kind)
    nucleus = disc(80, 70, 12) & (kind == "WBC")
    settled = with_cytoplasm_settled(shown, nucleus, evenly(0.1))
    assert set(settled[body]) == {SEEN.index(kind)}
    assert not settled[~body].any()


@pytest.mark.parametrize("nucleated", [True, False])
def test_a_platelet_that_lies_against_a_cell_stays(nucleated: bool) -> None:
    cell, platelet = disc(80, 60, 30), disc(80, 97, 9)
    shown = np.where(cell, np.uint8(SEEN.index("WBC")), np.uint8(0))
    shown[platelet & ~cell] = SEEN.index("PLT")
    settled = with_cytoplasm_settled(shown, disc(80, 60, 12) & nucleated, evenly(0.5))
    assert np.array_equal(settled, shown)


@pytest.mark.parametrize(("purple", "kind"), [(0.5, "WBC"), (0.1, "RBC")])
def test_a_tail_as_blue_as_cytoplasm_is_the_cells(purple: float, kind: str) -> None:
    body = disc(80, 80, 30)
    shown = np.where(body, np.uint8(SEEN.index("WBC")), np.uint8(0))
    tail = body & (np.arange(SIDE)[None, :] > 95)
    shown[tail] = SEEN.index("RBC")
    settled = with_cytoplasm_settled(shown, disc(80, 70, 12), evenly(purple))
    assert set(settled[tail]) == {SEEN.index(kind)}


def test_spurs_are_cut() -> None:
    spur = np.zeros_like(CELL)
    spur[78:82, 20:100] = True
    cell = found((0, 0), voting=CELL | spur, spur=spur)
    assert cell[CELL].mean() > 0.98
    assert (cell & spur & ~CELL).sum() < 0.2 * (spur & ~CELL).sum()


@pytest.mark.parametrize(("purple", "cell"), [(0.02, False), (0.15, True)])
def test_a_body_without_a_nucleus_and_red_as_red_cells_is_none(purple: float, cell: bool) -> None:
    body = disc(80, 60, 30)
    density = np.repeat((body * np.float32(0.3))[..., None], 3, axis=2)
    stain = Stain(density, body, body * np.float32(purple), 0.3)
    shown = np.where(body, np.uint8(SEEN.index("WBC")), np.uint8(0))
    parts = PurpleParts(NOTHING.astype(np.int32), NOTHING)
    found_cells = find_cells(shown, sight(NOTHING), parts, stain, 50.0) > 0
    assert found_cells[body].mean() == pytest.approx(float(cell), abs=0.02)
    assert not found_cells[~body].any()
