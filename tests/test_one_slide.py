"""A composite looks like one slide: one stain, one layout, one JPEG grid, soft edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.artefact import Artefact
from naturalize.compose.jpeg_grid import BLOCK_PX, grid_phase, snapped
from naturalize.compose.layout import Slot, draw_slots
from naturalize.compose.placement import draw_scene, orient
from naturalize.compose.recipe import load_recipe
from naturalize.compose.rim import soften_cuts
from naturalize.compose.scene import Scene
from naturalize.compose.stock import stock_of
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def scene(loaded: CutoutBank, seed: int) -> Scene:
    label = next(label for label in loaded.classes if loaded.subjects(label))
    return draw_scene(load_recipe("recomposed"), loaded, label, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flip", [False, True])
def test_blocks_of_a_donor_stay_blocks(turns: int, flip: bool) -> None:
    donor = np.arange(12 * 13).reshape(12, 13)
    blocks = np.kron(donor, np.ones((BLOCK_PX, BLOCK_PX), dtype=np.int64))
    box = Box(11, 5, 40, 27)
    cut = orient(blocks[box.slices], turns, flip)
    rows, columns = grid_phase(box, turns, flip)
    top, left = snapped(30, rows), snapped(21, columns)
    assert abs(top - 30) <= BLOCK_PX // 2
    assert abs(left - 21) <= BLOCK_PX // 2
    canvas = np.full((96, 96), -1)
    canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    for row in range(0, 96, BLOCK_PX):
        for column in range(0, 96, BLOCK_PX):
            block = canvas[row : row + BLOCK_PX, column : column + BLOCK_PX]
            assert len(set(block[block >= 0].tolist())) <= 1


def test_a_cell_cut_by_the_border_keeps_its_inner_edge() -> None:
    slot = Slot(Box(0, 30, 20, 40), (True, False, False, False))
    assert slot.corner(50, 44) == (-30, 28)
    whole = Slot(Box(60, 30, 40, 40), (False,) * 4)
    assert whole.corner(50, 44) == (55, 28)
    assert whole.misfit(50, 44) == 14


def test_a_mirrored_layout_is_as_crowded() -> None:
    boxes = (Box(0, 0, 30, 40), Box(10, 50, 30, 30))
    for seed in range(8):
        slots = draw_slots(boxes, (100, 120), turns=True, rng=np.random.default_rng(seed))
        assert {(s.box.height, s.box.width) for s in slots} == {(30, 40), (30, 30)}
        assert sum(s.is_cut for s in slots) == 1
        a, b = sorted(slots, key=lambda s: s.box.width)
        assert abs(a.box.left - b.box.left) in (50, 40)
    still = draw_slots(boxes, (100, 120), turns=False, rng=np.random.default_rng(0))
    assert {slot.box for slot in still} == set(boxes)


def test_red_cells_lie_as_in_the_plates_image(loaded: CutoutBank) -> None:
    for seed in range(5):
        drawn = scene(loaded, seed)
        red = [p for p in drawn.placements if loaded.by_id[p.cutout].kind == "RBC"]
        observed = stock_of(loaded).layouts.get(drawn.plate, ())
        assert len(red) + drawn.unplaced.get("RBC", 0) == len(observed)


def test_red_cells_of_one_image_are_stained_alike(loaded: CutoutBank) -> None:
    looks = stock_of(loaded).looks
    spread: dict[str, list[float]] = {"one": [], "any": []}
    for stain, found in spread.items():
        recipe = load_recipe("recomposed").model_copy(update={"stain": stain})
        for seed in range(6):
            label = next(label for label in loaded.classes if loaded.subjects(label))
            drawn = draw_scene(recipe, loaded, label, rng=np.random.default_rng(seed))
            red = [p for p in drawn.placements if loaded.by_id[p.cutout].kind == "RBC"]
            shown = [-np.log(looks[loaded.by_id[p.cutout].sample_id][:3]) * p.density for p in red]
            found.append(float(np.std(shown, axis=0).max()))
    assert np.mean(spread["one"]) < 0.7 * np.mean(spread["any"])


def test_an_edge_cut_through_a_neighbour_fades() -> None:
    weight = np.zeros((20, 20), np.uint8)
    weight[:, :10] = FULL
    light = np.full((20, 20, 3), 0.9, np.float32)
    light[:, :10] = 0.4
    soft_light, soft = soften_cuts(light, weight)
    assert (soft[:, :10] == FULL).all()
    assert 0.3 < soft[10, 10] / FULL < 0.7
    assert 0 < soft[10, 11] < soft[10, 10]
    assert (soft[:, 12:] == 0).all()
    assert soft_light[10, 10] == pytest.approx(0.4, abs=1e-3)
    assert (soft_light[:, :10] == light[:, :10]).all()


def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each pixel's share of a 3 x 3 binomial, over the whole window, nothing beyond it."""
    for axis in (0, 1):
        wide = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in range(values.ndim)])
        low, mid, high = (np.take(wide, range(k, k + values.shape[axis]), axis) for k in range(3))
        values = (low + 2 * mid + high) / np.float32(4)
    return values


@pytest.mark.parametrize("seed", range(6))
def test_a_cut_softened_where_it_is_equals_the_whole_window_softened(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :46]
    beyond = np.hypot(y - 20, x - 22) - rng.uniform(9, 24)
    weight = np.where(beyond <= 0, FULL, np.clip(254 - 50 * beyond, 0, 254)).astype(np.uint8)
    weight[(y * rng.normal() + x > rng.uniform(20, 50)) & (weight < FULL)] = 0
    light = rng.uniform(0.2, 1.1, (40, 46, 3)).astype(np.float32)
    own = (weight == FULL).astype(np.float32)
    cut = (own == 0) & (spread(own) > 0) & (weight < FULL // 2)
    wide = spread(spread(own))
    carried = spread(spread(own[..., None] * light)) / np.maximum(wide, 1e-6)[..., None]
    fade = np.rint(np.minimum(1.6 * wide, 1) * (FULL - 1)).astype(np.uint8)
    zone = (spread(spread(cut.astype(np.float32))) > 0) & (own == 0) & (fade > weight)
    soft_light, soft = soften_cuts(light, weight)
    assert (soft == np.where(zone, fade, weight)).all()
    assert (soft_light == np.where(zone[..., None], carried, light)).all()


def test_an_undisturbed_rim_stays_as_it_is() -> None:
    weight = np.zeros((20, 20), np.uint8)
    weight[:, :10] = FULL
    weight[:, 10:14] = [204, 153, 102, 51]
    light = np.full((20, 20, 3), 0.5, np.float32)
    same_light, same = soften_cuts(light, weight)
    assert (same == weight).all()
    assert (same_light == light).all()
