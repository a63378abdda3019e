"""What the default segmenter makes of pictures that are no smears, and of a smear seen anew."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from naturalize import images, seeds
from naturalize.cutouts.triage import triage
from naturalize.datasets import phantom
from naturalize.images import Rgb
from naturalize.segment import KINDS, Mask, Smear

LABELS = ("SNE", "ERB", "PLT")


def smear_image(label: str = "SNE", seed: int = 0) -> phantom.PhantomImage:
    rng = seeds.child(seed, "robust", label)
    return phantom.render(label, rng=rng, slide=phantom.sample_slide(rng))


def mosaic(rows: int, columns: int) -> Rgb:
    """Return a large field: phantoms side by side."""
    tiles = [smear_image(label, seed).image for seed in range(3) for label in LABELS]
    lines = [
        np.hstack([tiles[(i * columns + j) % len(tiles)] for j in range(columns)])
        for i in range(rows)
    ]
    return np.vstack(lines)


def text_page(colour: tuple[int, int, int], scale: float) -> Rgb:
    page = np.full((240, 240, 3), 250, dtype=np.uint8)
    for top in range(round(50 * scale), 240, round(44 * scale)):
        words = f"{top} Of cells and other round things, oO0Q"
        where, thick = (12, top), max(1, round(2 * scale))
        cv2.putText(page, words, where, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thick, cv2.LINE_AA)
    return page


def texture(shape: tuple[int, int], coarsest: int, *, rng: np.random.Generator) -> NDArray:
    """Return values in [0, 1] that vary at every scale, as fur and grass do."""
    total = np.zeros(shape, np.float32)
    for octave in range(6):
        side = coarsest * 2**octave
        noise = rng.standard_normal((side, side), dtype=np.float32)
        total += 0.6**octave * cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (total - total.min()) / np.ptp(total)


def cat(seed: int) -> Rgb:
    """Draw something like the photo of a cat on a lawn: fur, round eyes, sky behind."""
    shape, rng = (300, 400), np.random.default_rng(seed)
    y, x = np.indices(shape).astype(np.float32)
    sky = np.stack([170 + y / 8, 190 + y / 10, 225 + 0 * y], axis=-1)
    lawn = np.array([70, 120, 50]) * (0.5 + texture(shape, 4, rng=rng)[..., None])
    fur = np.array([190, 150, 100]) * (0.45 + 0.8 * texture(shape, 8, rng=rng)[..., None])
    body = ((y - 200) / 90) ** 2 + ((x - 210) / 110) ** 2 < 1
    head = ((y - 110) / 55) ** 2 + ((x - 130) / 60) ** 2 < 1
    scene = np.where((y > 165)[..., None], lawn, sky)
    scene = np.where((body | head)[..., None], fur, scene)
    for column in (108, 150):
        scene[((y - 105) / 9) ** 2 + ((x - column) / 11) ** 2 < 1] = (120, 160, 60)
        scene[((y - 105) / 8) ** 2 + ((x - column) / 3) ** 2 < 1] = (15, 15, 15)
    seen = cv2.GaussianBlur(scene, (0, 0), 0.8) + rng.normal(0, 3, scene.shape)
    return np.clip(seen, 0, 255).astype(np.uint8)


def noise(shape: tuple[int, int]) -> Rgb:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)


def accepted(masks: list[Mask]) -> list[Mask]:
    """Return the masks from which a cutout might be made."""
    return [mask for mask in masks if triage(mask) is None]


def cover(masks: list[Mask], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how many masks lie on each pixel."""
    total = np.zeros(shape[:2], dtype=np.int64)
    for mask in masks:
        total[mask.box.slices] += mask.pixels
    return total


def assert_shared_by_overlapping_red_cells_alone(masks: list[Mask], shape: tuple[int, ...]) -> None:
    red, others = ([m for m in masks if (m.kind == "RBC") == is_red] for is_red in (True, False))
    assert cover([m for m in masks if "overlap" not in m.reasons], shape).max() == 1
    assert not (cover(red, shape)[cover(others, shape) > 0]).any()


def area(masks: list[Mask], kind: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where on an image of ``shape`` the masks of a kind lie."""
    return cover([mask for mask in masks if mask.kind == kind], shape) > 0


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return intersection over union; 1 for two empty masks."""
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


@pytest.mark.parametrize("shape", [(50, 50), (363, 360)])
@pytest.mark.parametrize("content", ["black", "white", "noise"])
def test_nothing_is_found_in_nothing(shape: tuple[int, int], content: str) -> None:
    level = {"black": 0, "white": 255}
    rgb = noise(shape) if content == "noise" else np.full((*shape, 3), level[content], np.uint8)
    assert Smear().segment(rgb) == []


@pytest.mark.parametrize("scale", [0.45, 2.0], ids=["small", "large"])
@pytest.mark.parametrize("colour", [(20, 20, 20), (40, 60, 160), (190, 60, 60)])
def test_no_cutout_comes_from_a_page_of_text(colour: tuple[int, int, int], scale: float) -> None:
    assert accepted(Smear().segment(text_page(colour, scale))) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("grey", [False, True])
def test_no_cutout_comes_from_a_natural_scene(seed: int, grey: bool) -> None:
    rgb = cat(seed)
    if grey:
        rgb = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    assert accepted(Smear().segment(rgb)) == []


def test_a_corner_of_a_smear_gives_masks_inside_it() -> None:
    corner = smear_image().image[150:200, 150:200]
    masks = Smear().segment(corner)
    assert all(mask.box.clipped(50, 50) == mask.box for mask in masks)
    assert cover(masks, (50, 50)).max(initial=0) <= 1


def test_a_greyscale_file_gives_no_cutout() -> None:
    buffer = io.BytesIO()
    Image.fromarray(smear_image().image).convert("L").save(buffer, "PNG")
    rgb = images.decode(buffer.getvalue())
    assert rgb.shape == (363, 360, 3)
    assert accepted(Smear().segment(rgb)) == []


def test_twelve_million_pixels_are_segmented_whole() -> None:
    field = np.asarray(cv2.resize(mosaic(4, 5), (4000, 3000)), np.uint8)
    masks = Smear().segment(field)
    assert_shared_by_overlapping_red_cells_alone(masks, field.shape)
    drawn = 14  # of 20 images; a third show a platelet
    assert abs(sum(mask.kind == "WBC" for mask in masks) - drawn) <= 2


Turn = Callable[[NDArray], NDArray]
TURNS: dict[str, tuple[Turn, Turn]] = {
    "left to right": (np.fliplr, np.fliplr),
    "upside down": (np.flipud, np.flipud),
    "quarter turn": (np.rot90, lambda a: np.rot90(a, -1)),
}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("way", TURNS)
def test_turning_the_slide_turns_the_masks(label: str, way: str) -> None:
    turn, back = TURNS[way]
    rgb = smear_image(label).image
    turned = np.ascontiguousarray(turn(rgb))
    expected, found = Smear().segment(rgb), Smear().segment(turned)
    for kind in KINDS:
        again = back(area(found, kind, turned.shape))
        assert iou(again, area(expected, kind, rgb.shape)) > 0.9


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("gain", [0.7, 0.85])
def test_dimmer_light_leaves_the_masks_where_they_are(label: str, gain: float) -> None:
    rgb = smear_image(label).image
    dim = (rgb * gain).round().astype(np.uint8)
    expected, found = Smear().segment(rgb), Smear().segment(dim)
    for kind in KINDS:
        assert iou(area(found, kind, rgb.shape), area(expected, kind, rgb.shape)) > 0.85


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("factor", [0.6, 1.4, 2.0])
def test_masks_grow_with_the_magnification(label: str, factor: float) -> None:
    rgb = smear_image(label).image
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    larger = np.asarray(cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=way), np.uint8)
    expected, found = Smear().segment(rgb), Smear().segment(larger)
    for kind in ("WBC", "RBC"):
        wanted = area(expected, kind, rgb.shape).astype(np.uint8)
        wanted = cv2.resize(wanted, larger.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        assert iou(area(found, kind, larger.shape), wanted) > 0.85


@pytest.mark.parametrize("label", LABELS)
def test_masks_of_a_smear_are_in_one_piece_and_share_nothing_but_overlaps(label: str) -> None:
    rgb = smear_image(label).image
    masks = Smear().segment(rgb)
    assert_shared_by_overlapping_red_cells_alone(masks, rgb.shape)
    assert all(cv2.connectedComponents(m.pixels.astype(np.uint8))[0] == 2 for m in masks)
