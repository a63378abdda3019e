"""The default segmenter finds drawn and real cells, and fails on nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize import images
from naturalize.errors import InputError
from naturalize.segment import SEGMENTERS, Mask, Smear
from naturalize.segment.red_cell_size import red_cell_diameter
from naturalize.segment.regions import fill_holes

REAL = Path(__file__).parents[1] / "../shared/data/wbc_masks"
SLIDE = (250.0, 228.0, 202.0)
RED, CYTOPLASM, NUCLEUS, PLATELET = (
    (0.8, 0.7, 0.76),
    (0.75, 0.74, 0.92),
    (0.3, 0.16, 0.6),
    (0.65, 0.5, 0.8),
)
RADIUS = 30
LONELY = ((45, 50), (60, 250), (250, 45), (255, 245))
PAIR = ((165, 45), (165, 98))
CELL = (150, 185)


def disc(centre: tuple[float, float], radius: float, side: int = 300) -> NDArray[np.bool_]:
    """Return a disc on a square canvas."""
    row, column = np.indices((side, side))
    return np.asarray((row - centre[0]) ** 2 + (column - centre[1]) ** 2 < radius**2)


def scene(*, light: float = 1.0, lobes: int = 1) -> NDArray[np.uint8]:
    """Draw four single red cells, two touching ones, a nucleated cell and a platelet."""
    image = np.ones((300, 300, 3)) * SLIDE
    for centre in (*LONELY, *PAIR):
        image[disc(centre, RADIUS)] *= RED
        image[disc(centre, 8)] /= np.sqrt(RED)
    image[disc(CELL, 48)] *= CYTOPLASM
    for lobe in range(lobes):
        shift = 22 * (lobe - (lobes - 1) / 2)
        radius = 27 if lobes == 1 else 14
        image[disc((CELL[0] + 1.6 * shift, CELL[1] + 5), radius)] *= NUCLEUS
    image[disc((50, 150), 8)] *= PLATELET
    noise = np.random.default_rng(1).normal(0, 1.5, image.shape)
    smooth = np.asarray(cv2.GaussianBlur(image * light, (0, 0), 1.0)) + noise
    return smooth.clip(0, 255).round().astype(np.uint8)


def of_kind(masks: list[Mask], kind: str) -> list[Mask]:
    return [mask for mask in masks if mask.kind == kind]


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def label_image(masks: list[Mask], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return how many masks cover each pixel."""
    return np.sum([mask.to_image(shape).astype(int) for mask in masks], axis=0)


def test_finds_every_kind_where_it_was_drawn() -> None:
    masks = Smear().segment(scene())
    (cell,) = of_kind(masks, "WBC")
    (platelet,) = of_kind(masks, "PLT")
    shape = (300, 300)
    assert iou(cell.to_image(shape), disc(CELL, 48)) > 0.9
    assert iou(platelet.to_image(shape), disc((50, 150), 8)) > 0.6
    red = [mask.to_image(shape) for mask in of_kind(masks, "RBC")]
    assert len(red) == 6
    for centre in (*LONELY, *PAIR):
        assert max(iou(found, disc(centre, RADIUS)) for found in red) > 0.85


def test_nucleus_lies_inside_its_cell_and_matches() -> None:
    (cell,) = of_kind(Smear().segment(scene()), "WBC")
    assert cell.nucleus is not None
    assert not (cell.nucleus & ~cell.pixels).any()
    whole = np.zeros((300, 300), dtype=bool)
    whole[cell.box.slices] = cell.nucleus
    assert iou(whole, disc((CELL[0], CELL[1] + 5), 27)) > 0.85


def test_masks_are_disjoint_and_scored() -> None:
    masks = Smear().segment(scene())
    assert label_image(masks, (300, 300)).max() == 1
    assert all(0 <= mask.score <= 1 for mask in masks)


def test_red_cells_seen_through_each_other_are_both_whole() -> None:
    circles = (((110, 100), 30), ((110, 140), 30), ((220, 80), 30), ((220, 220), 30))
    image = np.ones((300, 300, 3)) * SLIDE
    for centre, radius in circles:
        image[disc(centre, radius)] *= RED
    smooth = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0)).round().astype(np.uint8)
    red = of_kind(Smear().segment(smooth), "RBC")
    assert len(red) == len(circles)
    for centre, radius in circles:
        best = max(red, key=lambda mask: iou(mask.to_image((300, 300)), disc(centre, radius)))
        assert iou(best.to_image((300, 300)), disc(centre, radius)) > 0.9
        assert ("overlap" in best.reasons) == (centre[0] == 110)


def test_only_cells_cut_from_a_clump_are_touching() -> None:
    red = of_kind(Smear().segment(scene()), "RBC")
    touching = [mask for mask in red if "touching" in mask.reasons]
    assert len(touching) == 2
    assert all(abs(mask.box.top + mask.box.height / 2 - 165) < 5 for mask in touching)


def test_border_is_noticed() -> None:
    cropped = scene()[35:, :]
    masks = Smear().segment(cropped)
    for mask in masks:
        at_border = (
            mask.box.top == 0
            or mask.box.left == 0
            or mask.box.bottom == cropped.shape[0]
            or mask.box.right == cropped.shape[1]
        )
        assert mask.touches_border == at_border
    assert sum(mask.touches_border for mask in masks) >= 1


def test_lobes_are_one_nucleus() -> None:
    (cell,) = of_kind(Smear().segment(scene(lobes=3)), "WBC")
    assert cell.nucleus is not None
    assert cv2.connectedComponents(cell.nucleus.astype(np.uint8))[0] - 1 == 3
    assert iou(cell.to_image((300, 300)), disc(CELL, 48)) > 0.85


def test_darker_light_hardly_changes_masks() -> None:
    bright, dim = (
        of_kind(Smear().segment(scene(light=light)), "WBC")[0].to_image((300, 300))
        for light in (1.0, 0.85)
    )
    assert iou(bright, dim) > 0.9


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_magnification_does_not_matter(factor: float) -> None:
    original = scene()
    resized = cv2.resize(original, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    masks, same = Smear().segment(np.asarray(resized, np.uint8)), Smear().segment(original)
    for kind in ("WBC", "RBC"):
        assert len(of_kind(masks, kind)) == len(of_kind(same, kind))


def test_large_images_are_worked_on_smaller() -> None:
    large = np.asarray(cv2.resize(scene(), (1100, 1000)), dtype=np.uint8)
    masks = Smear(max_pixels=90_000).segment(large)
    (cell,) = of_kind(masks, "WBC")
    expected = cv2.resize(disc(CELL, 48).astype(np.uint8), (1100, 1000)) > 0
    assert iou(cell.to_image(large.shape), expected) > 0.85
    assert label_image(masks, large.shape).max() == 1


def test_a_field_without_nuclei_has_no_nucleated_cell() -> None:
    image = scene()
    image[disc(CELL, 52)] = np.array(SLIDE, dtype=np.uint8)
    masks = Smear().segment(image)
    assert not of_kind(masks, "WBC")
    assert len(of_kind(masks, "RBC")) == 6


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (50, 50), (240, 320)])
@pytest.mark.parametrize("content", ["black", "white", "noise", "grey"])
def test_images_without_cells_do_not_fail(shape: tuple[int, int], content: str) -> None:
    rgb = {
        "black": np.zeros((*shape, 3)),
        "white": np.full((*shape, 3), 255),
        "noise": np.random.default_rng(0).integers(0, 256, (*shape, 3)),
        "grey": np.repeat(np.random.default_rng(0).integers(90, 250, (*shape, 1)), 3, axis=2),
    }[content].astype(np.uint8)
    masks = Smear().segment(rgb)
    assert all(mask.box.clipped(*shape) == mask.box for mask in masks)
    assert not masks


def test_scene_turned_grey_does_not_fail() -> None:
    grey = np.repeat(scene().mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    masks = Smear().segment(grey)
    assert not masks or label_image(masks, grey.shape).max() == 1


def test_segmenting_leaves_the_image_alone_and_repeats() -> None:
    image = scene()
    before = image.copy()
    first, second = Smear().segment(image), Smear().segment(image)
    assert np.array_equal(image, before)
    assert [m.box for m in first] == [m.box for m in second]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("bad", [np.zeros((9, 9)), np.zeros((9, 9, 3)), np.zeros((9, 9, 4), "u1")])
def test_refuses_what_is_no_image(bad: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="rgb"):
        Smear().segment(bad)


def test_refuses_impossible_parameters() -> None:
    with pytest.raises(InputError, match="microns_per_px"):
        Smear(microns_per_px=0)
    with pytest.raises(InputError, match="max_pixels"):
        Smear(max_pixels=1)


def test_smear_is_registered() -> None:
    assert SEGMENTERS["smear"] is Smear


def test_diameter_is_that_of_single_cells() -> None:
    foreground = disc((60, 60), 25) | disc((60, 180), 25) | disc((200, 70), 25)
    nothing = np.zeros_like(foreground)
    found = red_cell_diameter(foreground, nothing, nothing)
    assert found is not None
    assert abs(found - 50) < 1.5


def test_holes_are_filled_as_scipy_does() -> None:
    from scipy import ndimage

    pixels = np.random.default_rng(0).random((40, 50)) < 0.6
    assert np.array_equal(fill_holes(pixels), ndimage.binary_fill_holes(pixels))


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/data/wbc_masks beside the repository")
def test_real_cells_agree_with_masks_drawn_by_hand() -> None:
    agreement = []
    for path in sorted(REAL.glob("*.bmp"))[:12]:
        truth = images.decode_labels(path.with_suffix(".png").read_bytes()) > 0
        cells = of_kind(Smear().segment(images.read(path)), "WBC")
        agreement.append(max((iou(c.to_image(truth.shape), truth) for c in cells), default=0.0))
    assert np.mean(agreement) > 0.8


def test_a_given_scale_sets_sizes_even_where_pixels_are_merged() -> None:
    image, large = scene(), np.repeat(np.repeat(scene(), 3, axis=0), 3, axis=1)
    scale = 7.5 / (2 * RADIUS)
    seen = Smear(microns_per_px=scale).segment(image)
    merged = Smear(microns_per_px=scale / 3, max_pixels=image.shape[0] * image.shape[1])
    again = merged.segment(large)
    assert [m.kind for m in seen] == [m.kind for m in again]
    assert np.allclose([9 * m.area_px for m in seen], [m.area_px for m in again], rtol=0.1)
    # Told that pixels are five times as wide, it takes what it saw as red cells for giants.
    wrong = Smear(microns_per_px=5 * scale).segment(image)
    assert sum(m.kind == "RBC" for m in wrong) != sum(m.kind == "RBC" for m in seen)


def test_a_tail_away_from_the_nucleus_belongs_to_the_cell() -> None:
    image = scene().astype(np.float64)
    tail = np.zeros(image.shape[:2], dtype=np.uint8)
    corners = np.array([[185 + 30, 150 + 40], [185 - 30, 150 + 40], [185, 150 + 115]])
    cv2.fillPoly(tail, [corners.astype(np.int32)], 1)
    cell = disc(CELL, 48)
    image[(tail > 0) & ~cell] *= CYTOPLASM
    found = Smear().segment(np.clip(image, 0, 255).astype(np.uint8))
    whole = next(m for m in found if m.kind == "WBC").to_image(image.shape)
    assert iou(whole, cell | (tail > 0)) > 0.9


@pytest.mark.parametrize("ink", [(20, 20, 20), (40, 60, 160), (190, 60, 60)])
def test_ink_is_no_stain(ink: tuple[int, int, int]) -> None:
    page = np.full((300, 300, 3), 250, dtype=np.uint8)
    for centre in (*LONELY, *PAIR, CELL):
        page[disc(centre, RADIUS)] = ink
    assert Smear().segment(page) == []
