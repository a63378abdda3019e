"""How many composites a recipe gives each class, and the page that shows some of them first."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.compose.deal import deal_labels
from naturalize.compose.make_composites import make_composites
from naturalize.compose.placement import draw_scene
from naturalize.compose.preview import preview_page, write_preview
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.render import render
from naturalize.cutouts.bank import CutoutBank
from naturalize.errors import InputError
from naturalize.seeds import child

FIVE = ("BNE", "MMY", "MY", "PMY", "SNE")


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def dealt(recipe: Recipe, bank: CutoutBank, count: int | None = None) -> Counter[str]:
    return Counter(deal_labels(recipe, bank, count))


def able(bank: CutoutBank, labels: tuple[str, ...]) -> list[str]:
    return [label for label in labels if bank.subjects(label)]


@pytest.mark.parametrize(
    ("name", "classes", "each"),
    [("paper-419-pmy", ("PMY",), 592), ("paper-1k", FIVE, 1000), ("paper-2k", FIVE, 2000)],
)
def test_the_papers_sets_add_what_the_paper_added(
    name: str, classes: tuple[str, ...], each: int, loaded: CutoutBank
) -> None:
    recipe = load_recipe(name)
    assert recipe.counts == dict.fromkeys(classes, each)
    assert dealt(recipe, loaded) == dict.fromkeys(able(loaded, classes), each)
    algorithm = {"name", "counts", "fill_to", "classes", "share"}
    same = load_recipe("paper").model_dump(exclude=algorithm)
    assert recipe.model_dump(exclude=algorithm) == same


@pytest.mark.parametrize(("name", "level"), [("paper-balanced", 2000), ("balance", None)])
def test_classes_are_filled_up_to_one_level(
    name: str, level: int | None, loaded: CutoutBank
) -> None:
    one, *others = loaded.donors
    unequal = replace(loaded, donors=(*([one] * 50), *others))
    real = Counter(donor.label for donor in unequal.donors)
    level = level or max(real.values())
    got = dealt(load_recipe(name), unequal)
    for label in able(unequal, unequal.classes):
        assert real[label] + got[label] == level


def test_a_fuller_class_is_left_as_it_is(loaded: CutoutBank) -> None:
    one, *others = loaded.donors
    unequal = replace(loaded, donors=(*([one] * 50), *others))
    recipe = Recipe(name="mine", fill_to=20)
    assert dealt(recipe, unequal)[one.label] == 0
    assert len(dealt(recipe, unequal)) == len(able(unequal, unequal.classes)) - 1


def test_a_count_beside_the_recipes_keeps_its_proportions(loaded: CutoutBank) -> None:
    first, second = able(loaded, loaded.classes)[:2]
    recipe = Recipe(name="mine", counts={first: 300, second: 100})
    assert dealt(recipe, loaded) == {first: 300, second: 100}
    assert dealt(recipe, loaded, 8) == {first: 6, second: 2}


def test_counts_that_make_nothing_are_refused(
    loaded: CutoutBank, bank: Artefact, tmp_path: Path
) -> None:
    first = able(loaded, loaded.classes)[0]
    for recipe, says in [
        (Recipe(name="mine", counts={"XYZ": 3}), "got XYZ"),
        (Recipe(name="mine", counts={first: 0}), "got 0 of each"),
        (Recipe(name="mine", fill_to=1), "got none below 1"),
        (Recipe(name="mine"), "--count"),
    ]:
        with pytest.raises(InputError, match=says):
            make_composites(bank, tmp_path / "x", recipe=recipe)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["counts: {EO: 3}\nfill_to: 10", "counts: {EO: 3}\nclasses: [EO]", "counts: {EO: -1}"],
)
def test_counts_that_contradict_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"name: x\n{text}\n")
    with pytest.raises(InputError, match=r"mine\.yaml"):
        load_recipe(tmp_path / "mine.yaml")


def test_a_set_holds_what_the_recipe_says(
    loaded: CutoutBank, bank: Artefact, tmp_path: Path
) -> None:
    first, second = able(loaded, loaded.classes)[:2]
    recipe = Recipe(name="mine", counts={second: 2, first: 3})
    made = make_composites(bank, tmp_path / "set", recipe=recipe)
    assert {k: n for k, n in made.summary["counts"].items() if n} == {first: 3, second: 2}


def pictures(page: str) -> list[images.Rgb]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [images.decode(base64.b64decode(text)) for text in found]


def test_the_page_shows_sixteen_composites_of_the_recipe(loaded: CutoutBank) -> None:
    recipe = load_recipe("naturalize")
    page = preview_page(loaded, recipe, seed=4)
    assert page == preview_page(loaded, recipe, seed=4)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    shown = pictures(page)
    assert len(shown) == 16
    words = re.findall(r"<span>(\w+) · naturalize · (?:1 object|\d+ objects)\b", page)
    assert len(words) == 16
    assert set(words) == set(able(loaded, loaded.classes))
    scene = draw_scene(recipe, loaded, words[3], rng=child(4, "composite", 3))
    true = render(scene, loaded, recipe).image
    assert np.abs(shown[3].astype(int) - true).mean() < 2  # encoded once more for the page


def test_the_page_is_written_in_seconds_and_nothing_else(bank: Artefact, tmp_path: Path) -> None:
    begun = time.process_time()
    file = write_preview(bank, tmp_path / "new" / "page.html", recipe=load_recipe("paper-1k"))
    assert time.process_time() - begun < 6
    assert [p.name for p in tmp_path.rglob("*")] == ["new", "page.html"]
    assert ">1,000<" in file.read_text()
    with pytest.raises(InputError, match="does not exist yet"):
        write_preview(bank, file, recipe=load_recipe("paper"))
    write_preview(bank, file, recipe=load_recipe("paper"), overwrite=True)
    assert "of --count" in file.read_text()


def test_command_line(bank: Artefact, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    words = ["compose", str(bank.path), "--recipe", "balance", "--preview", "-o", str(file)]
    command = [sys.executable, "-m", "naturalize", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"preview": str(file)}
    assert file.is_file()
    command = [sys.executable, "-m", "naturalize", *words, "--count", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--preview: expected no --replay, --resume or --count" in done.stderr
