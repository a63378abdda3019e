"""Every step of one image: taken by the real stages, drawn on one page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from naturalize import images
from naturalize.cli.app import app
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.mask_folder import MaskFolder
from naturalize.datasets.phantom import render, sample_slide
from naturalize.datasets.phantom_bacteria import render as draw_bacteria
from naturalize.errors import ImageError, InputError
from naturalize.report import step_pictures
from naturalize.report.steps import Made, Steps, take_steps
from naturalize.report.steps_page import steps_page
from naturalize.seeds import child
from naturalize.segment import Smear


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("steps") / "phantom.jpg"
    slide = sample_slide(child(71, "slide"))
    file.write_bytes(render("EO", rng=child(71, "image"), slide=slide).jpeg)
    return file


@pytest.fixture(scope="module")
def steps(phantom: Path) -> Steps:
    return take_steps(phantom, Smear(), recipe=load_recipe("recomposed"))


@pytest.fixture(scope="module")
def made(steps: Steps) -> Made:
    assert steps.made is not None
    return steps.made


def write_bacterium(folder: Path) -> tuple[Path, Path]:
    drawn = draw_bacteria("rod", "dark", rng=child(0, "rod"))
    image, masks = folder / "rod.png", folder / "rod masks.png"
    image.write_bytes(images.encode_png(drawn.image))
    masks.write_bytes(images.encode_png(drawn.labels))
    return image, masks


def test_layers_lead_from_the_bare_slide_to_the_composite(made: Made) -> None:
    assert len(made.layers) == len(made.scene.placements) + 1
    bare = np.clip(made.plate + made.noise, 0, 255)
    assert np.abs(made.layers[0] - bare).mean() < 1.5  # the final JPEG
    for before, after, one in zip(made.layers, made.layers[1:], made.objects, strict=False):
        differ = np.argwhere((before != after).any(axis=2))
        near = one.box.grown(24)
        assert len(differ)
        assert (differ >= (near.top, near.left)).all()
        assert (differ < (near.bottom, near.right)).all()


def test_only_the_images_own_parts_are_used(steps: Steps, made: Made) -> None:
    assert {one.cutout.rpartition("#")[0] for one in made.objects} == {"phantom.jpg"}
    assert made.scene.plate == "phantom.jpg"
    shape = steps.parts.rgb.shape
    taken = sum(mask.to_image(shape).astype(int) for mask in steps.parts.masks)
    assert int(np.max(taken)) == 1


def test_pictures_show_what_they_say(steps: Steps, made: Made) -> None:
    parts = steps.parts
    noise = step_pictures.noise_picture(made)
    assert abs(float(noise.mean()) - 128) < 10
    masks = step_pictures.masks_picture(parts)
    border = next(one for one in parts.turned_down if one.refusal.reason == "border")
    inside = border.box.slices
    assert masks[inside].mean() > parts.rgb[inside].mean() + 10
    _, weight, _ = step_pictures.cutout_pictures(parts, made)
    assert weight[0, 0].max() <= 1
    assert weight[weight.shape[0] // 2, weight.shape[1] // 2].min() == 255


def test_the_page_holds_all_it_shows(steps: Steps) -> None:
    page = steps_page(steps, title="phantom.jpg")
    assert page == steps_page(steps, title="phantom.jpg")
    assert all(source.startswith("data:") for source in re.findall(r'src="([^"]{5})', page))
    for words in ("border", "touching", "the bare slide", "the composite", "22 objects"):
        assert words in page


def test_dark_objects_with_a_label_image(tmp_path: Path) -> None:
    image, masks = write_bacterium(tmp_path)
    by = MaskFolder.of_one(masks, image.name, objects="dark")
    steps = take_steps(image, by, recipe=load_recipe("objects-dark"))
    assert steps.parts.background == "dark"
    assert steps.made is not None
    assert steps.made.layers[-1].mean() > steps.made.layers[0].mean() + 1
    page = steps_page(steps, title="rod")
    assert "how much light is added" in page


def test_an_image_that_gives_no_composite_says_why(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.write_bytes(images.encode_png(np.full((90, 90, 3), 230, np.uint8)))
    steps = take_steps(empty, Smear(), recipe=load_recipe("recomposed"))
    assert steps.made is None
    page = steps_page(steps, title="empty.png")
    assert "no nucleated cell, platelet or object at the centre" in page
    assert "No composite can be made" in page


def test_mistakes_are_told(tmp_path: Path, phantom: Path) -> None:
    recipe = load_recipe("recomposed")
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    with pytest.raises(ImageError):
        take_steps(text, Smear(), recipe=recipe)
    with pytest.raises(ImageError, match="pixels"):
        by = MaskFolder.of_one(write_bacterium(tmp_path)[1], phantom.name, objects="light")
        take_steps(phantom, by, recipe=recipe)


def test_the_command_writes_one_page_and_replaces_none(phantom: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "steps.html"
    runner = CliRunner()
    command = ["steps", str(phantom), "-o", str(out)]
    assert runner.invoke(app, command).output.strip() == str(out)
    assert [file.name for file in out.parent.iterdir()] == ["steps.html"]
    for wrong, says in {
        (*command,): "does not exist yet",
        (*command, "--objects", "dark"): "--masks beside it",
        ("steps", str(tmp_path / "none.jpg"), "-o", str(tmp_path / "x")): "a readable file",
    }.items():
        assert says in str(runner.invoke(app, list(wrong)).exception)
    assert runner.invoke(app, [*command, "--overwrite", "--json"]).output.startswith("{")


@pytest.mark.parametrize("recipe", ["naturalize", "decoy"])
def test_a_recipe_that_needs_other_images_is_refused(
    recipe: str, phantom: Path, tmp_path: Path
) -> None:
    command = ["steps", str(phantom), "-o", str(tmp_path / "steps.html"), "--recipe", recipe]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, InputError)
    assert "composes cell by cell" in str(result.exception)


def test_neither_the_image_nor_a_folder_is_written_over(phantom: Path, tmp_path: Path) -> None:
    before = phantom.read_bytes()
    for out in (phantom, tmp_path):
        result = CliRunner().invoke(app, ["steps", str(phantom), "-o", str(out), "--overwrite"])
        assert isinstance(result.exception, InputError)
    assert phantom.read_bytes() == before
