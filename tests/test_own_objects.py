"""Objects that are no blood, on a light or dark background: from a folder to an export."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from typer.testing import CliRunner

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.cli.app import app
from naturalize.compose.composite_set import CompositeSet
from naturalize.compose.export import export_composites
from naturalize.compose.make_composites import make_composites, replay
from naturalize.compose.recipe import Encode, Recipe, load_recipe
from naturalize.compose.record import read_records
from naturalize.compose.render import render
from naturalize.compose.scene import Placement, Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.phantom_bacteria import CLASSES, write_bacteria
from naturalize.datasets.phantom_bacteria import render as draw_bacteria
from naturalize.errors import InputError
from naturalize.optics import Background, estimate_background, fit_plate
from naturalize.report.data_sections import segmentation_section
from naturalize.report.lineage import Lineage
from naturalize.seeds import child
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit

BACKGROUNDS = get_args(Background)
RECIPES: dict[str, str] = {"light": "objects", "dark": "objects-dark"}


@pytest.fixture(scope="module", params=BACKGROUNDS)
def background(request: pytest.FixtureRequest) -> Background:
    return "dark" if request.param == "dark" else "light"


@pytest.fixture(scope="module")
def folder(background: Background, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own folder: ``images/CLASS/NAME.png`` and ``masks/NAME.png``, nothing else."""
    home = tmp_path_factory.mktemp(background)
    drawn = write_bacteria(home / "phantom", count=36, seed=2, background=background)
    for name in ("images", "masks"):
        shutil.copytree(drawn.path / name, home / name)
    return home


@pytest.fixture(scope="module")
def split(folder: Path) -> Artefact:
    dataset = import_dataset(folder / "images", folder / "dataset")
    return make_split(dataset, folder / "split", seed=1)


@pytest.fixture(scope="module")
def bank(split: Artefact, folder: Path, background: Background) -> Artefact:
    return make_bank(split, folder / "bank", masks=folder / "masks", objects=background)


@pytest.fixture(scope="module")
def composites(bank: Artefact, folder: Path, background: Background) -> Artefact:
    recipe = load_recipe(RECIPES[background])
    return make_composites(bank, folder / "composites", recipe=recipe, count=18, seed=4)


def test_the_same_seed_draws_the_same_bacteria(background: Background) -> None:
    first, again = (draw_bacteria("rod", background, rng=child(0, "rod")) for _ in range(2))
    assert (first.image == again.image).all()
    assert (first.labels == again.labels).all()
    assert first.labels[96, 96] == 1


def test_the_plate_is_found_whatever_the_background(background: Background) -> None:
    drawn = draw_bacteria("vibrio", background, rng=child(1, "plate"))
    bare = estimate_background(drawn.image, background)
    free = drawn.labels == 0
    assert (bare & free).sum() > 0.7 * free.sum()
    assert (bare & ~free).sum() < 0.02 * (~free).sum()
    plate = fit_plate(drawn.image, bare, background).evaluate(192, 192)
    off = drawn.image[bare].astype(float) - plate[bare]
    assert np.abs(off.mean(axis=0)).max() < 0.3


def test_without_any_plate_the_background_decides_what_stands_in(background: Background) -> None:
    rgb = np.repeat(np.arange(0, 250, dtype=np.uint8)[:, None, None], 3, axis=2)
    flat = fit_plate(rgb, np.zeros((250, 1), dtype=bool), background).evaluate(1, 1)
    assert (flat.max() < 20) if background == "dark" else (flat.min() > 230)


def test_each_image_gives_the_object_at_its_centre(
    bank: Artefact, split: Artefact, background: Background
) -> None:
    loaded, real = CutoutBank.load(bank), RealSplit.load(split)
    assert loaded.statistics.background == background
    assert {row.kind for row in loaded.rows} == {"OBJ"}
    images_of = Counter(sample.label for sample in real.train)
    for label in CLASSES:
        assert len(loaded.subjects(label)) == images_of[label]
    assert len(loaded.bystanders["OBJ"][0]) > 2 * len(real.train)
    assert set(bank.summary["turned_down"]) <= {"OBJ: border", "OBJ: touching"}


def test_cutouts_are_the_users_masks(bank: Artefact, folder: Path) -> None:
    loaded = CutoutBank.load(bank)
    for row in loaded.rows[::5]:
        labels = images.decode_labels((folder / "masks" / Path(row.sample_id).name).read_bytes())
        own = labels[row.box.slices] == int(row.id.rpartition("#")[2]) + 1
        assert (loaded.cutout(row.id).mask & ~own).sum() == 0
        assert loaded.cutout(row.id).mask.sum() > 0.97 * own.sum()


def test_composites_hold_the_right_classes(composites: Artefact, bank: Artefact) -> None:
    loaded = CutoutBank.load(bank)
    assert sum(composites.summary["counts"].values()) == 18
    for record in read_records(composites):
        subject, *others = (loaded.by_id[p.cutout] for p in record.scene.placements)
        assert subject.label == record.scene.label == Path(record.file).parent.name
        assert all(row.kind == "OBJ" and not row.label for row in others)
    beside = [len(record.scene.placements) - 1 for record in read_records(composites)]
    assert np.mean(beside) == pytest.approx(np.mean(loaded.statistics.objects), rel=0.4)


def test_composites_look_like_the_images(composites: Artefact, split: Artefact) -> None:
    made, real = CompositeSet.load(composites), RealSplit.load(split)
    theirs = np.mean([read_sample(real.root, s).mean(axis=(0, 1)) for s in real.train], axis=0)
    ours = np.mean([made.read(image).mean(axis=(0, 1)) for image in made.images], axis=0)
    np.testing.assert_allclose(ours, theirs, atol=12)


def test_a_lone_object_keeps_its_donors_pixels(
    bank: Artefact, split: Artefact, background: Background
) -> None:
    loaded, real = CutoutBank.load(bank), RealSplit.load(split)
    recipe = load_recipe(RECIPES[background])
    recipe = recipe.model_copy(update={"encode": Encode(quality=100)})
    for label in CLASSES:
        row = loaded.subjects(label)[0]
        placed = Placement(cutout=row.id, top=row.box.top, left=row.box.left)
        scene = Scene(
            label=label, plate=row.sample_id, height_px=192, width_px=192, noise_seed=0,
            placements=(placed,), unplaced={},
        )  # fmt: skip
        made = render(scene, loaded, recipe)
        own = made.label_map == 1
        donor = read_sample(real.root, next(s for s in real.train if s.id == row.sample_id))
        off = np.abs(made.image[own].astype(int) - donor[own])
        assert off.max() <= 5  # what a JPEG of quality 100 rounds
        assert off.mean() < 0.6


def test_replay_gives_the_same_pixels(composites: Artefact) -> None:
    assert all(same for _, same in replay(composites))


def test_export_names_the_users_classes(composites: Artefact, tmp_path: Path) -> None:
    made = export_composites(composites, tmp_path / "coco", form="coco")
    coco = json.loads((made.path / "annotations.json").read_text())
    assert [one["name"] for one in coco["categories"]] == [*CLASSES, "OBJ"]
    counts = Counter(one["category_id"] for one in coco["annotations"])
    ids = {one["name"]: one["id"] for one in coco["categories"]}
    assert sum(counts[ids[label]] for label in CLASSES) == 18
    assert counts[ids["OBJ"]] > 18


def test_a_blend_that_does_not_suit_the_background_is_refused(
    bank: Artefact, background: Background, tmp_path: Path
) -> None:
    other = RECIPES["light" if background == "dark" else "dark"]
    with pytest.raises(InputError, match=f"on a {background} background"):
        make_composites(bank, tmp_path / "out", recipe=load_recipe(other), count=2)
    assert not any(tmp_path.iterdir())


def test_the_report_speaks_of_objects(bank: Artefact, split: Artefact) -> None:
    dataset = split.input("curated")  # nobody curated it
    lineage = Lineage((), split, dataset, dataset, None, bank)
    section = segmentation_section(lineage, RealSplit.load(split))
    assert section is not None
    words = "".join(str(block.html()) for block in section.body)
    assert "other objects" in words
    assert "red cell" not in words


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=True)
    return f"{result.exit_code} {result.output} {result.exception}"


def test_the_command_line_cuts_objects(folder: Path, split: Artefact, tmp_path: Path) -> None:
    masks, out = folder / "masks", tmp_path / "bank"
    assert "expected light or dark, got grey" in run(
        "cut", split.path, "--masks", masks, "--objects", "grey", "-o", out
    )
    assert "--masks beside it" in run("cut", split.path, "--objects", "dark", "-o", out)
    told = run("phantom", "--kind", "seeds", "-o", out)
    assert "expected blood or bacteria or bacteria-dark, got seeds" in told
    assert not out.exists()
    assert run("phantom", "--kind", "bacteria", "--count", "3", "-o", out).startswith("0 ")


def test_objects_on_another_background_are_turned_down_with_a_reason(
    split: Artefact, folder: Path, background: Background, tmp_path: Path
) -> None:
    other: Background = "light" if background == "dark" else "dark"
    with pytest.raises(InputError, match=f"a plain {other} slide"):
        make_bank(split, tmp_path / "bank", masks=folder / "masks", objects=other)


def test_what_does_not_suit_the_background_is_refused_before_anything_is_made(
    bank: Artefact, background: Background, tmp_path: Path
) -> None:
    if background == "light":
        wrong, message = {"blend": "emission"}, "blend: expected transmittance or"
    else:
        wrong, message = {"appearance": {"stain": 0.5}}, "appearance.stain: expected 0"
    recipe = Recipe.model_validate(load_recipe(RECIPES[background]).model_dump() | wrong)
    with pytest.raises(InputError, match=message):
        make_composites(bank, tmp_path / "made", recipe=recipe, count=6, workers=2)
    assert not list(tmp_path.iterdir())
