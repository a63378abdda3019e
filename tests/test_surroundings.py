"""Real surroundings: what is kept stays as it was, and what is put there fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.artefact import Artefact
from naturalize.compose.blend import BLENDS_ON
from naturalize.compose.export import export_composites
from naturalize.compose.make_composites import make_composites, replay
from naturalize.compose.objects import placed_objects
from naturalize.compose.placement import draw_scene
from naturalize.compose.places import places_of
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.render import Composite, paint, render
from naturalize.compose.silhouette import DIRECTIONS, misfit, silhouette
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.manifest import read_sample, read_table
from naturalize.errors import InputError
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.split.split import RealSplit

RIM_PX = 16
"""A JPEG block and the widest rim: within it of a cell put in or taken out pixels may change."""


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


@pytest.fixture(scope="module")
def originals(split: Artefact) -> dict[str, Rgb]:
    real = RealSplit.load(split)
    return {sample.id: read_sample(real.root, sample) for sample in real.train}


def made(recipe: Recipe, bank: CutoutBank, seed: int, label: str = "EO") -> Composite:
    return render(draw_scene(recipe, bank, label, rng=child(seed, "kept")), bank, recipe)


def away_from_cells(composite: Composite, bank: CutoutBank) -> NDArray[np.bool_]:
    """Return the pixels that lie on neither the cell put in nor the one taken out, nor near."""
    scene = composite.scene
    assert scene.surroundings is not None
    touched = composite.label_map > 0
    hole = bank.cutout(scene.surroundings.without)
    touched[hole.box.slices] |= hole.weight > 0
    side = 2 * RIM_PX + 1
    return np.asarray(cv2.dilate(touched.astype(np.uint8), np.ones((side, side), np.uint8)) == 0)


@pytest.mark.parametrize("blend", BLENDS_ON["light"])
def test_all_but_the_subject_is_the_real_image(
    blend: str, loaded: CutoutBank, originals: dict[str, Rgb]
) -> None:
    recipe = load_recipe("transplant").model_copy(update={"blend": blend})
    for seed in range(3):
        composite = made(recipe, loaded, seed)
        kept = away_from_cells(composite, loaded)
        assert kept.mean() > 0.2
        change = composite.image[kept].astype(int) - originals[composite.scene.plate][kept]
        assert np.abs(change).mean() < 2


def test_another_cell_of_the_class_is_put_there(loaded: CutoutBank) -> None:
    recipe = load_recipe("naturalize")
    for seed in range(6):
        scene = draw_scene(recipe, loaded, "BA", rng=child(seed, "kept"))
        assert scene.surroundings is not None
        placed, taken = (
            loaded.by_id[name] for name in (scene.placements[0].cutout, scene.surroundings.without)
        )
        assert placed.label == "BA"
        assert taken.sample_id == scene.plate != placed.sample_id
        assert taken.kind == placed.kind


def test_own_surroundings_give_the_image_itself(
    loaded: CutoutBank, originals: dict[str, Rgb]
) -> None:
    recipe = load_recipe("decoy")
    for seed in range(3):
        composite = made(recipe, loaded, seed)
        original = originals[composite.scene.plate]
        assert composite.scene.placements[0].cutout.startswith(composite.scene.plate)
        off = np.abs(composite.image.astype(int) - original)
        assert off.mean() < 2
        on_subject = composite.label_map == 1
        assert off[on_subject].mean() < 3


def test_density_changes_neighbours_as_it_does_the_subject(
    loaded: CutoutBank, originals: dict[str, Rgb]
) -> None:
    recipe = load_recipe("transplant")
    scene = draw_scene(recipe, loaded, "EO", rng=child(1, "kept"))
    assert scene.surroundings is not None
    thick = scene.surroundings.model_copy(update={"density": (1.5, 1.5, 1.5)})
    composite = render(scene.model_copy(update={"surroundings": thick}), loaded, recipe)
    plate = loaded.plate(scene.plate).surface.evaluate(scene.height_px, scene.width_px)
    dark = away_from_cells(composite, loaded) & (originals[scene.plate][..., 1] < 190)
    before = -np.log(originals[scene.plate][dark] / plate[dark])
    after = -np.log(composite.image[dark] / plate[dark])
    assert after.mean() / before.mean() == pytest.approx(1.5, abs=0.05)


def test_density_follows_the_law_of_transmittance_everywhere(
    loaded: CutoutBank, originals: dict[str, Rgb]
) -> None:
    """Against float64 powers, each pixel by its own plate: no value is off by more than one."""
    recipe = load_recipe("transplant")
    for seed, density in enumerate([(0.93, 0.95, 0.97), (1.07, 1.0, 1.04)]):
        scene = draw_scene(recipe, loaded, "EO", rng=child(seed, "kept"))
        assert scene.surroundings is not None
        kept = scene.surroundings.model_copy(update={"density": density})
        changed = scene.model_copy(update={"surroundings": kept})
        pixels, _ = paint(changed, loaded, recipe)
        plate = loaded.donor_by_id[scene.plate].surface
        slide = plate.evaluate(scene.height_px, scene.width_px).astype(np.float64)
        truth = slide * np.minimum(originals[scene.plate] / slide, 1.5) ** np.array(density)
        away = away_from_cells(render(scene, loaded, recipe), loaded)
        assert np.abs(pixels[away] - np.clip(truth, 0, 255)[away]).max() < 1.5


@pytest.mark.parametrize("blend", BLENDS_ON["light"])
def test_what_is_computed_near_the_cells_alone_is_as_on_the_whole_canvas(
    blend: str, loaded: CutoutBank
) -> None:
    """Another focus takes the whole canvas; this one is too little to change a value."""
    recipe = load_recipe("naturalize").model_copy(update={"blend": blend})
    for seed in range(3):
        scene = draw_scene(recipe, loaded, "EO", rng=child(seed, "kept"))
        pixels, labels = paint(scene, loaded, recipe)
        whole, same_labels = paint(scene.model_copy(update={"focus": 1e-12}), loaded, recipe)
        assert (pixels == whole).all()
        assert (labels == same_labels).all()


def test_a_picture_that_cannot_be_drawn_on_gives_the_same(
    loaded: CutoutBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow, which decodes all but plain JPEGs, gives pictures that are read only."""
    recipe = load_recipe("naturalize")
    scene = draw_scene(recipe, loaded, "EO", rng=child(2, "kept"))
    wanted, labels = paint(scene, loaded, recipe)
    read = CutoutBank.picture

    def locked(bank: CutoutBank, sample_id: str) -> Rgb:
        picture = read(bank, sample_id)
        picture.flags.writeable = False
        return picture

    monkeypatch.setattr(CutoutBank, "picture", locked)
    got, same_labels = paint(scene, loaded, recipe)
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(same_labels, labels)


def test_second_nucleated_cells_lie_among_their_own_class_alone(loaded: CutoutBank) -> None:
    crowded = {one.sample_id for one in loaded.turned_down() if one.kind == "WBC"}
    for name in ("naturalize", "transplant"):
        for seed in range(12):
            scene = draw_scene(load_recipe(name), loaded, "EO", rng=child(seed, "kept"))
            of_class = loaded.donor_by_id[scene.plate].label == "EO"
            assert of_class if name == "naturalize" else scene.plate not in crowded


def test_the_same_folder_by_any_number_of_workers_and_again_from_records(
    bank: Artefact, tmp_path: Path
) -> None:
    recipe = load_recipe("naturalize")
    one, two = (
        make_composites(bank, tmp_path / str(n), recipe=recipe, count=8, seed=4, workers=n)
        for n in (1, 2)
    )
    assert one.id == two.id
    assert all(same for _, same in replay(one))


def test_donors_are_the_images_of_subject_and_surroundings(bank: Artefact, tmp_path: Path) -> None:
    recipe = load_recipe("naturalize")
    composites = make_composites(bank, tmp_path / "made", recipe=recipe, count=5, seed=4)
    told = {row["sample_id"] for row in read_table(composites.path / "donors.csv")}
    used = set()
    for line in (composites.path / "records.jsonl").read_text().splitlines():
        scene = json.loads(line)["scene"]
        used |= {scene["plate"], scene["placements"][0]["cutout"].split("#")[0]}
        assert scene["surroundings"]["without"].split("#")[0] == scene["plate"]
    assert told == used


def test_export_tells_of_the_neighbours_that_were_kept(bank: Artefact, tmp_path: Path) -> None:
    recipe = load_recipe("naturalize")
    composites = make_composites(bank, tmp_path / "made", recipe=recipe, count=11, seed=4)
    exported = export_composites(composites, tmp_path / "coco", form="coco")
    content = json.loads((exported.path / "annotations.json").read_text())
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    cut_up = CutoutBank.load(bank)
    for image, line in zip(
        content["images"], (composites.path / "records.jsonl").read_text().splitlines(), strict=True
    ):
        scene = json.loads(line)["scene"]
        plate = scene["plate"]
        known = [row for row in cut_up.rows if row.sample_id == plate and row.kind == "RBC"]
        refused = [t for t in cut_up.turned_down() if t.sample_id == plate and t.kind == "RBC"]
        own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        drawn = [a for a in own if names[a["category_id"]] == "RBC"]
        assert len(drawn) == len(known) + len(refused)
        others = [t for t in cut_up.turned_down() if t.sample_id == plate and t.kind == "WBC"]
        assert sum(names[a["category_id"]] == "WBC" for a in own) == len(others)
        assert own[0]["number"] == 1
        assert names[own[0]["category_id"]] == scene["label"]


def test_the_subject_lies_above_its_neighbours(loaded: CutoutBank) -> None:
    recipe = load_recipe("transplant")
    composite = made(recipe, loaded, 2)
    objects, labels = placed_objects(composite.scene, loaded, disjoint=True)
    assert (labels[composite.label_map == 1] == 1).all()
    total = np.zeros(labels.shape, int)
    for one in objects:
        total[one.box.slices] += one.pixels
        assert (labels[one.box.slices][one.pixels] == one.number).all()
    assert total.max() == 1


@pytest.mark.parametrize("change", [{"red_cells": 8}, {"canvas": [400, 400]}, {"turns": True}])
def test_what_cannot_be_kept_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    lines = [f"{key}: {json.dumps(value)}" for key, value in ({"turns": False} | change).items()]
    (tmp_path / "mine.yaml").write_text("\n".join(["name: x", "surroundings: kept", *lines]))
    with pytest.raises(InputError, match="surroundings kept or own go with"):
        load_recipe(tmp_path / "mine.yaml")


def test_a_place_suits_whose_neighbours_meet_the_subject() -> None:
    side, other = (np.isin(np.arange(DIRECTIONS), range(n, n + 10)) for n in (0, 40))
    alone = np.zeros(DIRECTIONS, bool)
    places = [(40, side), (40, other), (40, alone), (50, side), (40.5, side)]
    reaches = np.array([np.full(DIRECTIONS, radius) for radius, _ in places])
    off = misfit(np.full(DIRECTIONS, 40.0), side, reaches, np.array([t for _, t in places]))
    assert off[0] == 0
    assert off[0] < off[4] < off[2] <= off[1]
    assert off[3] > off[4]


def test_a_silhouette_tells_size_and_contact(loaded: CutoutBank) -> None:
    shapes = places_of(loaded)
    for row, reach in zip(shapes.rows, shapes.reaches, strict=True):
        box = loaded.cutout(row.id).own_box
        widest = max(box.height, box.width) / 2
        assert widest - 2 < reach.max() < widest * 2**0.5 + 2
    cutout = loaded.cutout(shapes.rows[0].id)
    left = np.arange(cutout.weight.shape[1]) < cutout.weight.shape[1] // 3
    weight = np.where((cutout.weight < 255) & left, 0, np.maximum(cutout.weight, 200))
    _, touched = silhouette(replace(cutout, weight=weight.astype(np.uint8)))
    assert touched[[0, 1, -1, -2]].all()
    assert not touched[DIRECTIONS // 4 : 3 * DIRECTIONS // 4].any()
