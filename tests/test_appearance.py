"""A cell varied within what real cells show: stain, size, shape, focus, light."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from naturalize.artefact import Artefact
from naturalize.compose.appearance import (
    KNOTS,
    blurred,
    moved,
    moved_weight,
    refocused,
    restained,
)
from naturalize.compose.make_composites import make_composites, replay
from naturalize.compose.objects import placed_objects
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.record import read_records
from naturalize.compose.render import render
from naturalize.compose.scene import UNSTAINED, Scene, Variation
from naturalize.compose.spread import (
    LEAST_CELLS,
    Figures,
    class_spreads,
    sharpness,
    spread_of,
    stain_axes,
)
from naturalize.compose.variation import LARGEST, draw_light, palette
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.errors import InputError
from naturalize.optics import PlateSurface
from naturalize.seeds import child

AZURE, EOSIN = np.array([0.6, 0.75, 0.28]), np.array([0.15, 0.85, 0.5])


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def recipe_with(**appearance: float) -> Recipe:
    plain = load_recipe("recomposed").model_dump()
    return Recipe.model_validate(plain | {"appearance": appearance})


def draw(recipe: Recipe, loaded: CutoutBank, seed: int, label: str = "EO") -> Scene:
    return draw_scene(recipe, loaded, label, rng=child(seed, "appearance"))


def disc(side: int, radius: float) -> np.ndarray:
    away = np.hypot(*(np.indices((side, side)) - (side - 1) / 2))
    fade = np.clip(1 - (away - radius) / 5, 0, 1) * (FULL - 1)
    return np.where(away <= radius, FULL, fade).astype(np.uint8)


def test_nothing_asked_for_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    light = rng.random((20, 30, 3)).astype(np.float32)
    weight = rng.integers(0, 256, (20, 30)).astype(np.uint8)
    assert restained(light, UNSTAINED) is light
    assert refocused(light, 0.0) is light
    assert moved(light, Variation()) is light
    assert moved_weight(weight, Variation()) is weight
    still = Variation(knots=(0.0,) * (2 * KNOTS * KNOTS))
    lit, weighed = moved(light, still), moved_weight(weight, still)
    assert (lit[1:-1, 1:-1] == light).all()
    assert (weighed[1:-1, 1:-1] == weight).all()
    assert not weighed[[0, -1]].any()
    assert not weighed[:, [0, -1]].any()


@pytest.mark.parametrize("size", [0.8, 0.93, 1.0, 1.07, 1.25])
def test_size_changes_the_area_as_stated(size: float) -> None:
    weight = disc(101, 38.0)
    light = np.dstack([weight] * 3).astype(np.float32)
    other = Variation(size=size)
    lit, scaled = moved(light, other), moved_weight(weight, other)
    before, after = (np.count_nonzero(w == FULL) for w in (weight, scaled))
    assert after / before == pytest.approx(size**2, rel=0.01)
    assert lit.shape[:2] == scaled.shape
    rows, columns = np.nonzero(scaled == FULL)
    middle = (scaled.shape[0] - 1) / 2
    assert rows.mean() == pytest.approx(middle, abs=0.02)
    assert columns.mean() == pytest.approx(middle, abs=0.02)


def test_scaling_agrees_with_an_independent_interpolation() -> None:
    rng = np.random.default_rng(1)
    weight = disc(41, 15.0)
    smooth = ndimage.gaussian_filter(rng.random((41, 41, 3)), (3, 3, 0)).astype(np.float32)
    larger = Variation(size=1.2)
    light, scaled = moved(smooth, larger), moved_weight(weight, larger)
    places = (np.arange(scaled.shape[0]) + 0.5 - scaled.shape[0] / 2) / 1.2 + 20.0
    grid = np.meshgrid(places, places, indexing="ij")
    inner = scaled == FULL
    for channel in range(3):
        expected = ndimage.map_coordinates(smooth[..., channel], grid, order=3, mode="nearest")
        assert np.abs(light[..., channel] - expected)[inner].max() < 2e-3
    expected = ndimage.map_coordinates(weight.astype(float), grid, order=1)
    rim = (scaled < FULL) & (expected < FULL - 1)
    assert np.abs(scaled - expected)[rim].max() <= 0.51


def test_knots_alike_shift_a_cell_and_others_bend_it_without_folds() -> None:
    rng = np.random.default_rng(2)
    light = rng.random((30, 24, 3)).astype(np.float32)
    weight = np.full((30, 24), FULL, np.uint8)
    shift = Variation(knots=(2.0, -3.0) * KNOTS**2)
    shifted, own = moved(light, shift), moved_weight(weight, shift)
    at = np.s_[10:20, 10:20]
    assert (own[4:34, 4:28][at] == FULL).all()
    assert np.allclose(shifted[4:34, 4:28][at], light[12:22, 7:17], atol=1e-6)
    side, most = 100, 0.1 * 80
    places = np.indices((side, side)).transpose(1, 2, 0).astype(np.float32)
    places = np.dstack([places, places[..., 0]])
    for seed in range(5):
        knots = np.random.default_rng(seed).choice([-most, most], 2 * KNOTS**2)
        seen = moved(places, Variation(knots=tuple(knots.tolist())))
        inner = seen[20:-20, 20:-20]
        assert (np.diff(inner[..., 0], axis=0) > 0).all()
        assert (np.diff(inner[..., 1], axis=1) > 0).all()
        moves = inner[..., :2] - np.indices(seen.shape[:2]).transpose(1, 2, 0)[20:-20, 20:-20] + 9
        assert np.abs(moves).max() <= most + 1e-3


def test_stain_multiplies_densities_by_its_matrix() -> None:
    light = np.random.default_rng(3).uniform(0.03, 1.1, (8, 9, 3)).astype(np.float32)
    matrix = ((1.2, -0.1, 0.05), (0.02, 0.9, 0.0), (0.0, 0.1, 1.0))
    expected = np.exp(np.log(light.astype(np.float64)) @ np.array(matrix).T)
    np.testing.assert_allclose(restained(light, matrix), expected, atol=1.5e-3, rtol=6e-3)
    black = restained(np.zeros((1, 1, 3), np.float32), ((1.5, -0.3, -0.3),) * 3)
    assert np.isfinite(black).all()


def test_focus_blurs_above_0_and_sharpens_below() -> None:
    weight = disc(61, 20.0)
    image = np.dstack([255 - weight // 2] * 3).astype(np.float32)
    image += np.random.default_rng(4).normal(0, 4, image.shape).astype(np.float32)
    own = weight == FULL
    levels = [sharpness(refocused(image, f)[..., :1], own) for f in (-0.5, 0.0, 0.5, 1.0)]
    assert levels == sorted(levels, reverse=True)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = ndimage.convolve(image[..., 0].astype(float), kernel, mode="nearest")
    np.testing.assert_allclose(blurred(image)[..., 0], expected, rtol=1e-5)
    assert refocused(image, 0.4).mean() == pytest.approx(image.mean(), rel=1e-3)


def test_stain_axes_are_those_the_pixels_were_mixed_from() -> None:
    azure, eosin = AZURE / np.linalg.norm(AZURE), EOSIN / np.linalg.norm(EOSIN)
    amounts = np.random.default_rng(5).uniform(0, 1, (20000, 2))
    noise = np.random.default_rng(6).normal(0, 0.003, (20000, 3))
    axes = stain_axes(amounts @ np.stack([azure, eosin]) + noise)
    for found, true in zip(axes.T, (azure, eosin), strict=False):
        assert np.degrees(np.arccos(min(1.0, float(found @ true)))) < 2
    assert np.allclose(np.linalg.norm(axes, axis=0), 1)


def test_the_banks_axes_lie_in_the_plane_that_holds_most_density(loaded: CutoutBank) -> None:
    pixels = []
    for row in loaded.rows:
        if row.kind == "WBC" and row.label:
            cutout = loaded.cutout(row.id)
            plate = cutout.surface.evaluate_box(cutout.box, *cutout.donor_px)
            seen = np.maximum(cutout.pixels, 1) / plate.astype(np.float64)
            pixels.append(-np.log10(seen[cutout.mask]))
    density = np.concatenate(pixels)
    _, _, directions = np.linalg.svd(
        density[np.linalg.norm(density, axis=1) > 0.3], full_matrices=False
    )
    axes = spread_of(loaded).axes
    assert np.abs(directions[2] @ axes[:, :2]).max() < 0.05
    assert axes[0, 0] > axes[0, 1]
    assert (axes[:, 0] > 0).all()


def test_spread_is_one_standard_deviation_of_its_class() -> None:
    rng = np.random.default_rng(7)
    cells = rng.normal([10, 5, 80, -1, 2], [1, 1, 4, 0.2, 0], (4000, 5))
    few = cells[: LEAST_CELLS - 1] * (1, 1, 3, 1, 1)
    found = class_spreads({"many": cells, "few": few})
    assert found["many"] == pytest.approx((0.1, 0.2, 0.05, 0.1), rel=0.08)
    assert found["few"] == pytest.approx(found["many"], rel=0.05)  # borrowed
    assert class_spreads({"flat": np.zeros((30, 5))})["flat"] == (0, 0, 0, 0)


def test_no_drawn_value_lies_outside_its_range(loaded: CutoutBank) -> None:
    recipe = recipe_with(stain=0.6, size=0.8, elastic=0.05, focus=0.7, illumination=0.5)
    spread = spread_of(loaded)
    own = Figures(*np.minimum(spread.classes["EO"], LARGEST))
    for seed in range(40):
        scene = draw(recipe, loaded, seed)
        subject, *others = scene.placements
        assert all(p.variation == Variation() for p in others)
        assert abs(subject.variation.size - 1) <= 0.8 * own.diameter + 1e-4
        diameter_px = 2 * (loaded.by_id[subject.cutout].area_px / np.pi) ** 0.5
        assert len(subject.variation.knots) == 2 * KNOTS**2
        assert max(map(abs, subject.variation.knots)) <= 0.05 * diameter_px + 0.01
        assert abs(scene.focus) <= 0.7 * own.focus + 1e-4
        unmixed = np.linalg.solve(spread.axes, subject.variation.stain @ spread.axes)
        assert np.allclose(unmixed, np.diag(np.diag(unmixed)), atol=5e-3)
        azure, eosin, rest = np.diag(unmixed)
        assert abs(azure - 1) <= 0.6 * own.azure + 5e-3
        assert abs(eosin - 1) <= 0.6 * own.eosin + 5e-3
        assert rest == pytest.approx(1, abs=5e-3)


def test_a_rare_light_is_drawn_as_often_as_a_common_one(loaded: CutoutBank) -> None:
    dim = tuple(
        replace(row, surface=PlateSurface(row.surface.coefficients * (0.8 if i == 0 else 1.0)))
        for i, row in enumerate(loaded.plates)
    )
    bank = replace(loaded, donors=dim)
    recipe = recipe_with(illumination=1.0).model_copy(update={"plate_tolerance": 30.0})
    groups = palette(bank, 30.0)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(dim)))
    for group in groups:
        colours = bank.plate_colours[group]
        assert np.abs(colours - colours[0]).max() <= 30.0
    rng = child(0, "light")
    drawn = [draw_light(recipe, bank, dim[1], rng=rng).sample_id for _ in range(400)]
    share = drawn.count(dim[0].sample_id) / 400 * len(groups)
    alone = next(group for group in groups if 0 in group)
    assert share * len(alone) == pytest.approx(1, abs=0.3)


def test_what_is_off_leaves_the_rest_as_drawn(loaded: CutoutBank) -> None:
    plain, lit = recipe_with(), recipe_with(focus=0.5, illumination=1.0, stain=0.5)
    plates = set()
    for seed in range(8):
        before, after = draw(plain, loaded, seed), draw(lit, loaded, seed)
        assert before.focus == 0
        assert before.placements[0].variation == Variation()
        assert before.placements[1:] == after.placements[1:]
        assert (before.label, before.noise_seed) == (after.label, after.noise_seed)
        plates.add(before.plate != after.plate)
        assert Scene.model_validate_json(after.model_dump_json()) == after
        written = after.model_dump()["placements"]
        assert ["variation" in one for one in written] == [True] + [False] * (len(written) - 1)
    assert True in plates


def test_masks_follow_the_cell(loaded: CutoutBank) -> None:
    recipe = recipe_with(size=1.0, elastic=0.1)
    for seed in range(4):
        scene = draw(recipe, loaded, seed)
        composite = render(scene, loaded, recipe)
        objects, labels = placed_objects(scene, loaded, disjoint=False)
        assert (labels == composite.label_map).all()
        subject = scene.placements[0]
        weight = loaded.cutout(subject.cutout).weight
        area = np.count_nonzero(moved_weight(weight, subject.variation) == FULL)
        assert np.count_nonzero(objects[0].pixels) == area
        still = subject.model_copy(update={"variation": Variation()})
        other = scene.model_copy(update={"placements": (still, *scene.placements[1:])})
        assert (render(other, loaded, recipe).label_map != composite.label_map).any()


@pytest.mark.parametrize("blend", ["transmittance", "alpha", "feather", "poisson"])
def test_every_blend_shows_a_varied_cell(loaded: CutoutBank, blend: str) -> None:
    recipe = recipe_with(stain=1.0, size=1.0, elastic=0.03, focus=0.5)
    recipe = recipe.model_copy(update={"blend": blend})
    scene = draw(recipe, loaded, 3)
    once, again = render(scene, loaded, recipe), render(scene, loaded, recipe)
    assert once.pixels_sha256() == again.pixels_sha256()
    own = once.label_map == 1
    assert once.image[own].mean() < once.image[once.label_map == 0].mean()


def test_varied_composites_replay_with_any_number_of_workers(
    bank: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naturalize.compose.make_composites.CHUNK", 4)
    recipe = load_recipe("varied")
    one = make_composites(bank, tmp_path / "one", recipe=recipe, count=8, seed=5)
    two = make_composites(bank, tmp_path / "two", recipe=recipe, count=8, seed=5, workers=2)
    assert one.id == two.id
    assert all(same for _, same in replay(one))
    records = list(read_records(one))
    loaded = CutoutBank.load(bank)
    for record in records[::-1]:
        assert render(record.scene, loaded, recipe).pixels_sha256() == record.pixels_sha256
    assert any(record.scene.placements[0].variation.moves for record in records)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("appearance: {size: 2}", r"appearance\.size.*less than or equal to 1"),
        ("appearance: {elastic: 0.3}", r"appearance\.elastic.*less than or equal to 0\.1"),
        ("appearance: {focus: -1}", r"appearance\.focus.*greater than or equal to 0"),
        ("appearance: {blur: 1}", r"appearance\.blur"),
        ("blend: alpha\nappearance: {illumination: 0.5}", "goes with blend transmittance"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"name: x\n{text}\n")
    with pytest.raises(InputError, match=message):
        load_recipe(tmp_path / "mine.yaml")


def test_grey_pictures_show_no_two_stains(loaded: CutoutBank) -> None:
    grey = np.repeat(np.random.default_rng(0).uniform(0.1, 0.8, (200, 1)), 3, axis=1)
    assert (stain_axes(grey) == np.eye(3)).all()
    assert not (stain_axes(np.random.default_rng(0).uniform(0.1, 0.8, (200, 3))) == np.eye(3)).all()
