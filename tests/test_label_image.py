"""Label images know no kinds; the stain tells them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.datasets.manifest import Manifest
from naturalize.datasets.phantom import load_masks
from naturalize.errors import InputError
from naturalize.segment import Mask
from naturalize.segment.label_image import typed_masks

REDS = ((50, 60), (60, 250), (250, 50), (250, 250))
CELL, OTHER_CELL = (150, 120), (150, 205)
PLATELET = (60, 150)


def disc(centre: tuple[int, int], radius: float) -> NDArray[np.bool_]:
    row, column = np.indices((300, 300))
    return np.asarray((row - centre[0]) ** 2 + (column - centre[1]) ** 2 < radius**2)


def smear() -> images.Rgb:
    """Draw four red cells, two nucleated cells and a platelet on a light slide."""
    image = np.ones((300, 300, 3)) * (250.0, 228.0, 202.0)
    for centre in REDS:
        image[disc(centre, 30)] *= (0.8, 0.7, 0.76)
    for centre in (CELL, OTHER_CELL):
        image[disc(centre, 42)] *= (0.75, 0.74, 0.92)
        image[disc(centre, 26)] *= (0.3, 0.16, 0.6)
    image[disc(PLATELET, 9)] *= (0.62, 0.5, 0.8)
    noise = np.random.default_rng(1).normal(0, 1.5, image.shape)
    smooth = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0)) + noise
    return smooth.clip(0, 255).round().astype(np.uint8)


def labelled(*objects: NDArray[np.bool_], step: int = 1) -> NDArray[np.int32]:
    labels = np.zeros((300, 300), np.int32)
    for number, pixels in enumerate(objects, start=1):
        labels[pixels & (labels == 0)] = number * step
    return labels


def all_objects(*, step: int = 1) -> NDArray[np.int32]:
    reds = [disc(centre, 30) for centre in REDS]
    return labelled(disc(CELL, 42), disc(OTHER_CELL, 42), disc(PLATELET, 9), *reds, step=step)


def test_stain_tells_the_kinds() -> None:
    masks = typed_masks(all_objects(), smear())
    assert [mask.kind for mask in masks] == ["WBC", "WBC", "PLT", *["RBC"] * 4]


def test_a_nucleated_cell_knows_its_nucleus() -> None:
    cell = typed_masks(all_objects(), smear())[0]
    assert cell.nucleus is not None
    nucleus = np.zeros((300, 300), bool)
    nucleus[cell.box.slices] = cell.nucleus
    drawn = disc(CELL, 26)
    assert (nucleus & drawn).sum() / (nucleus | drawn).sum() > 0.85
    assert not (nucleus & ~cell.to_image(nucleus.shape)).any()


def test_masks_are_the_labels_whatever_their_numbers() -> None:
    labels = all_objects(step=9000)
    masks = typed_masks(labels, smear())
    for value, mask in zip(np.unique(labels[labels > 0]), masks, strict=True):
        assert (mask.to_image(labels.shape) == (labels == value)).all()


def test_two_nuclei_under_one_label_are_said() -> None:
    both = disc(CELL, 42) | disc(OTHER_CELL, 42) | (disc((150, 162), 20))
    (mask,) = typed_masks(labelled(both), smear())
    assert (mask.kind, mask.reasons) == ("WBC", ("two nuclei",))


def test_a_crumb_is_no_part_of_the_object() -> None:
    labels = labelled(disc(REDS[0], 30))
    labels[200, 200] = 1
    (mask,) = typed_masks(labels, smear())
    assert mask.area_px == disc(REDS[0], 30).sum()


def reasons_of(*objects: NDArray[np.bool_]) -> list[tuple[str, ...]]:
    return [mask.reasons for mask in typed_masks(labelled(*objects), smear())]


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_touching_is_being_the_neighbour_of_a_pixel(step: tuple[int, int]) -> None:
    def square(row: int, column: int) -> NDArray[np.bool_]:
        pixels = np.zeros((300, 300), bool)
        pixels[row : row + 10, column : column + 10] = True
        return pixels

    there = (40 + 10 * step[0], 40 + 10 * step[1])
    apart = (there[0] + step[0], there[1] + step[1])
    assert reasons_of(square(40, 40), square(*there)) == [("touching",)] * 2
    assert reasons_of(square(40, 40), square(*apart)) == [()] * 2


def test_border_is_touched_by_its_own_pixels_only() -> None:
    inside, at_border = np.zeros((2, 300, 300), bool)
    inside[1:20, 1:20] = True
    at_border[280:, 100:120] = True
    masks = typed_masks(labelled(inside, at_border), smear())
    assert [mask.touches_border for mask in masks] == [False, True]


def test_without_a_measurable_stain_there_are_no_masks() -> None:
    dark = np.zeros((300, 300, 3), np.uint8)
    assert typed_masks(all_objects(), dark) == []
    assert typed_masks(np.zeros((300, 300), np.int32), smear()) == []
    assert typed_masks(np.ones((3, 3), np.int32), np.full((3, 3, 3), 200, np.uint8)) == []


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((300, 299), np.int32), "labels: expected int32"),
        (np.zeros((300, 300), np.uint8), "labels: expected int32"),
        (np.full((300, 300), -1, np.int32), "labels: expected 0 or above, got -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: NDArray[np.int32], says: str) -> None:
    with pytest.raises(InputError, match=says):
        typed_masks(labels, smear())


def test_phantom_cells_get_their_true_kinds(dataset: Artefact) -> None:
    right, wrong = 0, []
    for sample in Manifest.load(dataset).samples[::3]:
        truth: list[Mask] = load_masks(dataset, sample.id)
        rgb = images.read(dataset.path / "images" / sample.id)
        labels = np.zeros(rgb.shape[:2], np.int32)
        for number, mask in enumerate(truth, start=1):
            labels[mask.box.slices][mask.pixels] = number
        found = typed_masks(labels, rgb)
        right += sum(a.kind == b.kind for a, b in zip(truth, found, strict=True))
        wrong += [(sample.id, a.kind, b.kind) for a, b in zip(truth, found, strict=True)
                  if a.kind != b.kind]  # fmt: skip
    assert right > 150
    assert len(wrong) <= 0.03 * right, wrong


def test_large_images_are_typed_too() -> None:
    rgb = np.asarray(cv2.resize(smear(), (1500, 1500), interpolation=cv2.INTER_LINEAR))
    labels = np.kron(all_objects(), np.ones((5, 5), np.int32))
    kinds = [mask.kind for mask in typed_masks(labels, rgb)]
    assert kinds == ["WBC", "WBC", "PLT", *["RBC"] * 4]


def test_hand_drawn_cells_are_nucleated(shared_data: Path) -> None:
    found = []
    for path in sorted((shared_data / "wbc_masks").glob("*.png"))[::5]:
        drawn = images.decode_labels(path.read_bytes())
        rgb = images.read(path.with_suffix(".bmp"))
        found += [mask.kind for mask in typed_masks((drawn > 0).astype(np.int32), rgb)]
    assert found
    assert set(found) == {"WBC"}
