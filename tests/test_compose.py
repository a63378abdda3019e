from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naturalize import images
from naturalize.artefact import Artefact, open_artefact
from naturalize.compose.blend import BLENDS, Layer, change_density
from naturalize.compose.canvas import Canvas
from naturalize.compose.composite_set import CompositeSet
from naturalize.compose.jpeg_grid import BLOCK_PX
from naturalize.compose.make_composites import RECORDS, make_composites, replay
from naturalize.compose.placement import draw_scene, orient
from naturalize.compose.recipe import Recipe, load_recipe, shipped_recipes
from naturalize.compose.render import render
from naturalize.compose.scene import Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.errors import InputError, LeakError
from naturalize.geometry import Box
from naturalize.seeds import child
from naturalize.split.leak_check import check_donors
from naturalize.split.split import RealSplit


@pytest.fixture(scope="session")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def draw(recipe: Recipe, loaded: CutoutBank, seed: int = 0, label: str = "EO") -> Scene:
    return draw_scene(recipe, loaded, label, rng=child(seed, "test"))


def test_corners_clear_of_boxes_are_those_whose_box_meets_none() -> None:
    canvas = Canvas.of((80, 90))
    for top, left in ((5, 5), (30, 40), (60, 10)):
        canvas.put(np.ones((12, 17), bool), Box(top, left, 12, 17))
    tops, lefts = (side.ravel() for side in np.mgrid[-12:80, -17:90])
    clear = canvas.clear_of_boxes((9, 14), tops, lefts)
    taken = np.pad(canvas.taken > 0, 20)
    for top, left, alone in zip(tops, lefts, clear, strict=True):
        assert alone == (not taken[top + 20 : top + 29, left + 20 : left + 34].any())


@pytest.mark.parametrize("name", shipped_recipes())
def test_recipes_round_trip_through_yaml(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    (tmp_path / "mine.yaml").write_text(recipe.yaml())
    assert load_recipe(tmp_path / "mine.yaml") == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nblendd: alpha\n", "blendd"),
        ("name: x\nblend: magic\n", "blend"),
        ("name: x\nred_cells: -1\n", "red_cells"),
        ("name: x\noverlap: 2\n", "overlap"),
        ("name: [x\n", "a YAML file"),
        ("just words", "a mapping of keys"),
        ("", "a mapping of keys"),
        ("name: x\nred_cells: [9, 2]\n", "red_cells"),
        ("name: x\ncanvas: [0, 0]\n", "canvas"),
    ],
)
def test_recipes_with_mistakes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(tmp_path / "mine.yaml")


def test_unknown_recipe_lists_the_shipped_ones() -> None:
    with pytest.raises(
        InputError, match=r"naturalize, objects, .* paper, paper-1k, .* or a YAML file, got nature"
    ):
        load_recipe("nature")


def test_the_papers_recipe_is_algorithm_1(loaded: CutoutBank) -> None:
    recipe = load_recipe("paper")
    scene = draw(recipe, loaded, label="SNE")
    kinds = Counter(loaded.by_id[p.cutout].kind for p in scene.placements)
    assert kinds["WBC"] == 1
    assert kinds["RBC"] + scene.unplaced.get("RBC", 0) == 8
    assert all(p.turns == 0 and not p.flip and p.density == (1, 1, 1) for p in scene.placements)
    boxes = [Box(p.top, p.left, *loaded.cutout(p.cutout).mask.shape) for p in scene.placements]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a.bottom <= b.top or b.bottom <= a.top or a.right <= b.left or b.right <= a.left
    assert all(box == box.clipped(scene.height_px, scene.width_px) for box in boxes)


def test_objects_collide_by_pixel_mask(loaded: CutoutBank) -> None:
    recipe = load_recipe("recomposed").model_copy(
        update={"overlap": 0.0, "red_cells": 30, "layout": "random"}
    )
    for seed in range(4):
        composite = render(draw(recipe, loaded, seed), loaded, recipe)
        covered = np.zeros(composite.label_map.shape, int)
        for p in composite.scene.placements:
            mask = orient(loaded.cutout(p.cutout).mask, p.turns, p.flip)
            box = Box(p.top, p.left, *mask.shape)
            seen = box.clipped(*covered.shape)
            part = mask[
                seen.top - box.top : seen.bottom - box.top,
                seen.left - box.left : seen.right - box.left,
            ]
            covered[seen.slices] += part
        assert covered.max() == 1
        assert ((composite.label_map > 0) == (covered == 1)).all()


def test_what_cannot_be_placed_is_counted(loaded: CutoutBank) -> None:
    recipe = load_recipe("recomposed").model_copy(
        update={"red_cells": 300, "layout": "random", "attempts": 1}
    )
    scene = draw(recipe, loaded)
    kinds = Counter(loaded.by_id[p.cutout].kind for p in scene.placements)
    assert kinds["RBC"] + scene.unplaced["RBC"] == 300
    assert scene.unplaced["RBC"] > 0


def test_ranges_and_canvas_are_honoured(loaded: CutoutBank) -> None:
    update = {"layout": "random", "red_cells": (2, 4), "platelets": 0, "canvas": (400, 500)}
    recipe = load_recipe("recomposed").model_copy(update=update)
    counts = set()
    for seed in range(12):
        scene = draw(recipe, loaded, seed)
        counts.add(len(scene.placements) - 1)
    assert counts == {2, 3, 4}
    assert render(scene, loaded, recipe).image.shape == (400, 500, 3)


def test_subject_stays_within_the_observed_jitter(loaded: CutoutBank) -> None:
    recipe = load_recipe("naturalize")
    limit = np.abs(np.array(loaded.statistics.offsets)).max() + 2 + BLOCK_PX // 2
    for seed in range(10):
        scene = draw(recipe, loaded, seed)
        subject = scene.placements[0]
        assert loaded.by_id[subject.cutout].label == "EO"
        h, w = orient(loaded.cutout(subject.cutout).mask, subject.turns, subject.flip).shape
        assert abs(subject.top + h / 2 - scene.height_px / 2) <= limit
        assert abs(subject.left + w / 2 - scene.width_px / 2) <= limit


def layer(light: float, box: Box, weight: int = FULL) -> Layer:
    shape = (box.height, box.width)
    return Layer(
        box=box,
        light=np.full((*shape, 3), light, np.float32),
        pixels=np.full((*shape, 3), 200 * light, np.float32),
        weight=np.full(shape, weight, np.uint8),
    )


def test_the_darker_of_two_cells_is_seen_where_they_overlap() -> None:
    plate = np.full((4, 6, 3), 200, np.float32)
    noise = np.full((4, 6, 3), 5, np.int8)
    layers = [layer(0.5, Box(0, 0, 4, 4)), layer(0.8, Box(0, 2, 4, 2))]
    image = BLENDS["transmittance"](plate, noise, layers)
    assert image[0, 0] == pytest.approx(100)  # a cell carries its own noise
    assert image[0, 3] == pytest.approx(100)  # 200 * .5, not * .8 too
    assert (image == BLENDS["transmittance"](plate, noise, layers[::-1])).all()
    assert image[0, 5] == pytest.approx(205)  # bare slide keeps the plate's noise


def test_a_weightless_rim_changes_nothing() -> None:
    plate = np.full((4, 4, 3), 200, np.float32)
    noise = np.ones((4, 4, 3), np.int8)
    image = BLENDS["transmittance"](plate, noise, [layer(0.1, Box(0, 0, 4, 4), weight=0)])
    assert (image == 201).all()


def test_alpha_pastes_the_donors_pixels() -> None:
    plate = np.full((4, 6, 3), 200, np.float32)
    noise = np.zeros((4, 6, 3), np.int8)
    image = BLENDS["alpha"](
        plate, noise, [layer(0.5, Box(0, 0, 4, 4)), layer(0.8, Box(0, 2, 4, 2))]
    )
    assert image[0, 3] == pytest.approx(160)
    assert image[0, 5] == pytest.approx(200)


def test_density_scales_the_optical_density() -> None:
    light = np.linspace(0.05, 1.2, 60, dtype=np.float32).reshape(4, 5, 3)
    changed = change_density(light, (1.0, 1.5, 0.7))
    assert (changed[..., 0] == light[..., 0]).all()
    np.testing.assert_allclose(changed[..., 1], light[..., 1] ** 1.5, atol=2e-3)
    np.testing.assert_allclose(changed[..., 2], light[..., 2] ** 0.7, atol=4e-3)


def test_recomposing_a_cell_where_it_was_gives_back_its_image(loaded: CutoutBank) -> None:
    """Put a cutout on its own donor's plate at its own place: its pixels must come out again."""
    recipe = load_recipe("naturalize")
    row = loaded.subjects("EO")[0]
    scene = Scene.model_validate(
        {
            "label": "EO",
            "plate": row.sample_id,
            "height_px": loaded.donor_by_id[row.sample_id].height_px,
            "width_px": loaded.donor_by_id[row.sample_id].width_px,
            "noise_seed": 0,
            "placements": [{"cutout": row.id, "top": row.box.top, "left": row.box.left}],
            "unplaced": {},
        }
    )
    lossless = recipe.model_copy(
        update={"encode": recipe.encode.model_copy(update={"quality": 100})}
    )
    image = render(scene, loaded, lossless).image
    cutout = loaded.cutout(row.id)
    difference = np.abs(image[row.box.slices].astype(int) - cutout.pixels)[cutout.mask]
    assert np.mean(difference) < 1.5
    assert np.quantile(difference, 0.99) <= 5


def test_folder_replays_pixel_for_pixel(composites: Artefact) -> None:
    results = dict(replay(composites))
    assert len(results) == 22
    assert all(results.values())


def test_a_changed_record_does_not_replay(composites: Artefact, tmp_path: Path) -> None:
    path = composites.path / RECORDS
    text = path.read_text()
    record = json.loads(text.splitlines()[0])
    record["scene"]["placements"][0]["top"] += 1
    try:
        path.write_text("\n".join([json.dumps(record), *text.splitlines()[1:]]) + "\n")
        assert Counter(ok for _, ok in replay(composites)) == {True: 21, False: 1}
    finally:
        path.write_text(text)


def test_files_hold_what_the_records_say(composites: Artefact, loaded: CutoutBank) -> None:
    for line in (composites.path / RECORDS).read_text().splitlines()[::7]:
        record = json.loads(line)
        recipe = Recipe.model_validate(composites.manifest["parameters"]["recipe"])
        again = render(Scene.model_validate(record["scene"]), loaded, recipe)
        assert (images.read(composites.path / record["file"]) == again.image).all()


def test_same_folder_with_any_number_of_workers(
    composites: Artefact, bank: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naturalize.compose.make_composites.CHUNK", 6)
    two = make_composites(
        bank,
        tmp_path / "two",
        recipe=load_recipe("naturalize"),
        count=22,
        seed=5,
        workers=2,
    )
    assert two.id == composites.id


def test_interrupted_folder_resumes_and_equals_the_whole_one(
    composites: Artefact, bank: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naturalize.compose.make_composites.CHUNK", 6)

    def cut_off(items, total, what):  # type: ignore[no-untyped-def]
        iterator = iter(items)
        yield next(iterator)
        yield next(iterator)
        raise KeyboardInterrupt

    def compose(**more: object) -> Artefact:
        recipe = load_recipe("naturalize")
        return make_composites(bank, tmp_path / "x", recipe=recipe, count=22, seed=5, **more)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt):
        compose(track=cut_off)
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / ".x.partial").rglob("*.jpg")}
    resumed = compose(if_exists="resume")
    assert len(times) == 12
    assert resumed.id == composites.id
    for path, time in times.items():
        moved = resumed.path / path.relative_to(tmp_path / ".x.partial")
        assert moved.stat().st_mtime_ns == time


def test_every_class_gets_the_same_synthetic_share(composites: Artefact, split: Artefact) -> None:
    train = split.summary["counts"]["train"]
    share = sum(composites.summary["counts"].values()) / sum(train.values())
    for label, count in composites.summary["counts"].items():
        assert abs(count - share * train[label]) <= 1


def test_donors_are_train_images(composites: Artefact, split: Artefact) -> None:
    loaded = CompositeSet.load(composites)
    real = RealSplit.load(split)
    check_donors(real, loaded.donors, what="composites")
    assert len(loaded.images) == 22
    assert loaded.read(loaded.images[0]).shape[2] == 3


def test_a_bank_with_a_test_image_is_a_leak(
    bank: Artefact, split: Artefact, tmp_path: Path
) -> None:
    copy = bank.path.parent / "bank copy"
    shutil.copytree(bank.path, copy)
    real = RealSplit.load(split)
    stray, train = real.test[0], real.train[0]
    text = (copy / "donors.csv").read_text()
    swapped = text.replace(train.id, stray.id).replace(train.sha256, stray.sha256)
    (copy / "donors.csv").write_text(swapped)
    recipe = load_recipe("naturalize")
    with pytest.raises(LeakError, match=stray.id):
        make_composites(replace(bank, path=copy), tmp_path / "x", recipe=recipe, count=2)
    with pytest.raises(InputError, match="an altered or no file"):
        open_artefact(copy)
    assert list(tmp_path.iterdir()) == []


def test_classes_a_bank_does_not_hold_are_refused(bank: Artefact, tmp_path: Path) -> None:
    recipe = load_recipe("naturalize").model_copy(update={"classes": ("BA", "XYZ")})
    with pytest.raises(InputError, match="got XYZ"):
        make_composites(bank, tmp_path / "x", recipe=recipe, count=2)
    with pytest.raises(InputError, match="--count"):
        make_composites(bank, tmp_path / "x", recipe=load_recipe("paper"), count=0)
    assert list(tmp_path.iterdir()) == []
