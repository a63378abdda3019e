"""The ways a cutout meets the slide, and the membrane one of them rests on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from naturalize.artefact import Artefact
from naturalize.compose.blend import BLENDS, BLENDS_ON, Layer
from naturalize.compose.make_composites import make_composites, replay
from naturalize.compose.membrane import membrane
from naturalize.compose.placement import draw_scene, orient
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.render import Composite, render
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box
from naturalize.seeds import child

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
NAMES = BLENDS_ON["light"]

GONE_RIM_PX = 4
"""How far around the cell taken out of kept surroundings its rim may reach."""


def exact(values: Floats, known: Bools, region: Bools) -> NDArray[np.float64]:
    """Solve Laplace's equation as a sparse system, nothing flowing out of the region."""
    free = region & ~known
    index = np.full(region.shape, -1)
    index[free] = np.arange(free.sum())
    system, right = lil_matrix((free.sum(), free.sum())), np.zeros((free.sum(), 3))
    for row, column in zip(*np.nonzero(free), strict=True):
        here = index[row, column]
        for other in [(row, column + 1), (row + 1, column), (row, column - 1), (row - 1, column)]:
            inside = 0 <= other[0] < region.shape[0] and 0 <= other[1] < region.shape[1]
            if inside and region[other]:
                system[here, here] += 1
                if known[other]:
                    right[here] += values[other]
                else:
                    system[here, index[other]] -= 1
    solved = np.where(known[..., None], values, 0).astype(float)
    solved[free] = spsolve(system.tocsr(), right).reshape(-1, 3)
    return solved


def rim(size: int) -> tuple[Floats, Bools, Bools]:
    """Return a lobed region, the ring it ends in, and light that differs round the ring."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle = np.arctan2(y, x)
    distance = np.hypot(y, x) * (1 + 0.12 * np.sin(3 * angle))
    region = distance < 0.46 * size
    known = region & (distance > 0.46 * size - 1.5)
    light = 6 * np.sin(2 * angle) + 0.05 * y + 8
    noise = np.random.default_rng(0).normal(0, 2, (size, size, 3))
    return (light[..., None] + noise).astype(np.float32), known, region


@pytest.mark.parametrize("size", [24, 61, 90])
@pytest.mark.parametrize("part", ["whole", "third"])
def test_the_membrane_solves_laplaces_equation(size: int, part: str) -> None:
    values, known, region = rim(size)
    if part == "third":
        known[: size // 3 * 2] = False
    found, truth = membrane(values, known, region), exact(values, known, region)
    off = np.abs(found - truth)[region]
    assert off.mean() < 0.6
    assert np.quantile(off, 0.99) < 1.6
    assert (found[known] == values[known]).all()
    assert not found[~region].any()


def test_a_membrane_tied_to_one_value_has_it_everywhere() -> None:
    values, known, region = rim(70)
    found = membrane(np.full_like(values, 17), known, region)
    np.testing.assert_allclose(found[region], 17, atol=1e-3)
    nowhere = membrane(values, np.zeros_like(known), region)
    assert not nowhere.any()


def test_the_membrane_is_the_same_on_every_machine() -> None:
    """Whole numbers in; each float operation is one IEEE rounding, so these digits are fixed."""
    y, x = np.mgrid[:45, :52]
    region = (y - 22) ** 2 + (x - 26) ** 2 < 400
    known = region & ((y - 22) ** 2 + (x - 26) ** 2 > 340) & (x > 15)
    values = np.stack([(3 * y + x) % 23, (y * x) % 19, (y + 5 * x) % 17], axis=2)
    found = membrane(values.astype(np.float32), known, region)
    digest = hashlib.sha256(found.astype("<f4").tobytes()).hexdigest()[:16]
    assert digest == "45785bfea3a3eefd"


def disc(size: int = 60, radius: float = 18, rim_px: int = 4) -> tuple[Bools, NDArray[np.uint8]]:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    beyond = np.hypot(y, x) - radius
    fade = np.clip(1 - beyond / (rim_px + 1), 0, 1)
    own = beyond <= 0
    return own, np.where(own, FULL, np.rint(fade * (FULL - 1))).astype(np.uint8)


def pasted(blend: str, layers: list[Layer], plate: float, size: int = 60) -> Floats:
    canvas = np.full((size, size, 3), plate, np.float32)
    return BLENDS[blend](canvas, np.zeros(canvas.shape, np.int8), layers)


def cell(cell_value: float, donor_plate: float) -> Layer:
    own, weight = disc()
    pixels = np.where(own[..., None], cell_value, donor_plate) * np.ones(3)
    pixels = pixels.astype(np.float32)
    return Layer(Box(0, 0, 60, 60), pixels / np.float32(donor_plate), pixels, weight)


def test_emission_adds_the_light_of_all_objects() -> None:
    own, weight = disc()
    light = np.full((60, 60, 3), 40, np.float32)
    layer = Layer(Box(0, 0, 60, 60), light, light, weight)
    image = pasted("emission", [layer, layer], 10)
    np.testing.assert_allclose(image[own], 10 + 2 * 40)
    np.testing.assert_allclose(image[weight == 0], 10)


def test_feather_mixes_the_donors_pixels_by_weight() -> None:
    own, weight = disc()
    image = pasted("feather", [cell(120, 190)], 230)
    share = weight[..., None] / 255
    np.testing.assert_allclose(image[own], 120)
    np.testing.assert_allclose(
        image[~own], (230 + share * (190 - 230) * np.ones(3))[~own], rtol=1e-5
    )


def test_poisson_keeps_the_donors_gradients_and_shows_no_seam() -> None:
    own, weight = disc()
    image = pasted("poisson", [cell(120, 190)], 230)
    np.testing.assert_allclose(image[own], 160, atol=0.01)  # as much darker than the new slide
    np.testing.assert_allclose(image[~own], 230, atol=0.01)
    assert (image[weight == 0] == 230).all()


def test_a_neighbour_on_the_donor_does_not_bleed_into_a_poisson_paste() -> None:
    layer = cell(120, 190)
    pixels, weight = layer.pixels.copy(), layer.weight.copy()
    pixels[:, 46:] = 90  # a dark neighbour just beyond the object
    weight[:, 46:] = 0
    part = Layer(layer.box, pixels / np.float32(190), pixels, weight)
    image = pasted("poisson", [part], 230)
    np.testing.assert_allclose(image[disc()[0] & (weight == FULL)], 160, atol=0.01)
    assert (image[:, 46:] == 230).all()


def test_the_rim_of_a_poisson_paste_spares_what_lies_there() -> None:
    first, second = cell(120, 230), cell(150, 230)
    shifted = Layer(Box(0, 38, 60, 60), second.light, second.pixels, second.weight)
    canvas = np.full((60, 98, 3), 230, np.float32)
    image = BLENDS["poisson"](canvas, np.zeros(canvas.shape, np.int8), [first, shifted])
    np.testing.assert_allclose(image[:, :60][disc()[0]], 120, atol=0.01)
    np.testing.assert_allclose(image[:, 38:][disc()[0]], 150, atol=0.01)


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def rendered(loaded: CutoutBank, **more: object) -> dict[str, Composite]:
    base = load_recipe("naturalize").model_copy(update={"red_cells": 8, "layout": "random", **more})
    found = {}
    for name in NAMES:
        recipe = base.model_copy(update={"blend": name})
        scene = draw_scene(recipe, loaded, "EO", rng=child(3, "blends"))
        found[name] = render(scene, loaded, recipe)
    return found


def test_the_same_scene_under_any_blend(loaded: CutoutBank) -> None:
    made = rendered(loaded)
    first = made[NAMES[0]]
    touched = np.zeros(first.label_map.shape, bool)
    for p in first.scene.placements:
        weight = orient(loaded.cutout(p.cutout).weight, p.turns, p.flip)
        seen = Box(p.top, p.left, *weight.shape).clipped(*touched.shape)
        touched[seen.slices] = True
    assert first.scene.surroundings is not None
    gone = loaded.by_id[first.scene.surroundings.without]
    touched[gone.box.grown(GONE_RIM_PX).clipped(*touched.shape).slices] = True
    for name in NAMES[1:]:
        assert made[name].scene == first.scene
        assert (made[name].label_map == first.label_map).all()
        assert (made[name].image != first.image).any()
    blocks = [(r, c) for r in range(0, 352, 8) for c in range(0, 352, 8)]
    bare = [b for b in blocks if not touched[b[0] : b[0] + 8, b[1] : b[1] + 8].any()]
    assert len(bare) > 50
    for row, column in bare:  # JPEG codes squares of 8 px apart from each other
        squares = [m.image[row : row + 8, column : column + 8] for m in made.values()]
        assert all((square == squares[0]).all() for square in squares[1:])


def test_unchanged_cells_look_alike_on_a_slide_like_their_own(loaded: CutoutBank) -> None:
    """On the donor's own plate every blend must give the donor's own pixels."""
    row = loaded.subjects("EO")[0]
    recipe = load_recipe("naturalize")
    scene = draw_scene(recipe, loaded, "EO", rng=child(0, "own"))
    placed = scene.placements[0].model_copy(
        update={
            "cutout": row.id, "top": row.box.top, "left": row.box.left, "turns": 0, "flip": False,
            "density": (1.0, 1.0, 1.0),
        }
    )  # fmt: skip
    scene = scene.model_copy(update={"plate": row.sample_id, "placements": (placed,)})
    cutout = loaded.cutout(row.id)
    for name in NAMES:
        fine = Recipe(name="fine", blend=name, encode={"quality": 100})  # type: ignore[arg-type]
        image = render(scene, loaded, fine).image
        off = np.abs(image[row.box.slices].astype(int) - cutout.pixels)[cutout.mask]
        assert off.mean() < 2.5, name


@pytest.mark.parametrize("blend", NAMES)
def test_sets_of_every_blend_replay(blend: str, bank: Artefact, tmp_path: Path) -> None:
    recipe = load_recipe("naturalize").model_copy(update={"blend": blend})
    made = make_composites(bank, tmp_path / "set", recipe=recipe, count=3)
    assert all(same for _, same in replay(made))
