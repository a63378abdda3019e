"""SAM is asked what the reference implementation asks, whatever the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SamImageProcessorPil, SamModel, SamProcessor

from naturalize.datasets.phantom_field import PhantomImage
from naturalize.geometry import Box
from naturalize.segment import Mask
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_model import load_sam, pixel_values
from naturalize.segment.sam_prompts import Prompts, grid_prompts, prompts_from
from sam_stand_ins import (
    SIDE,
    draw_phantom,
    iou,
    logits_of,
    save_tiny,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("sam") / "tiny", seed=0)


@pytest.fixture(scope="module")
def phantom() -> PhantomImage:
    return draw_phantom()


@pytest.mark.parametrize("shape", [(363, 360), (90, 200), (200, 31)])
def test_an_image_is_shown_as_the_reference_shows_it(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    reference = SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE}
    )(rgb, return_tensors="pt")
    assert reference["reshaped_input_sizes"].tolist() == [list(Frame(shape, SIDE).resized)]
    ours = pixel_values(rgb, SIDE).numpy()
    one_level = 1 / min(58.395, 57.12, 57.375)
    assert np.abs(ours - reference["pixel_values"][0].numpy()).max() < 1.01 * one_level


def test_a_model_is_asked_as_the_reference_asks_it(weights: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    prompts = Prompts(
        np.array([[20, 70], [50, 10]], np.float32),
        np.array([[5, 60, 30, 90], [40, 0, 60, 25]], np.float32),
    )
    processor = SamProcessor(
        SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE})
    )
    asked = processor(
        rgb,
        input_points=[[[[70.0, 20.0]], [[10.0, 50.0]]]],
        input_boxes=[[[60.0, 5.0, 90.0, 30.0], [0.0, 40.0, 25.0, 60.0]]],
        return_tensors="pt",
    )
    asked = {k: v.float() if v.dtype == torch.float64 else v for k, v in asked.items()}
    sizes = asked.pop("original_sizes"), asked.pop("reshaped_input_sizes")
    asked["pixel_values"] = pixel_values(rgb, SIDE)[None]
    with torch.inference_mode():
        said = SamModel.from_pretrained(weights)(**asked)
    (expected,) = processor.post_process_masks(said.pred_masks, *sizes, binarize=False)

    model, frame = load_sam(str(weights), "cpu"), Frame((60, 100), SIDE)
    ours = model.decode(model.embed([rgb])[0], prompts, frame)
    assert np.allclose(ours.predicted_iou, said.iou_scores[0].numpy(), atol=1e-4)
    for i in range(2):
        for j in range(3):
            reference = expected[i, j].numpy()
            whole, part = Box(0, 0, 60, 100), Box(7, 30, 40, 21)
            for window in (whole, part):
                enlarged = frame.enlarged(ours.logits[i, j], window)
                assert np.allclose(enlarged, reference[window.slices], atol=1e-3)


def test_proposals_are_asked_by_a_box_around_and_a_point_inside(phantom: PhantomImage) -> None:
    shape = phantom.image.shape
    prompts = prompts_from(phantom.masks, shape)
    assert len(prompts) == len(phantom.masks) > 5
    assert prompts.boxes is not None
    for mask, point, box in zip(phantom.masks, prompts.points, prompts.boxes, strict=True):
        top, left, bottom, right = box
        assert 0 <= top <= mask.box.top and mask.box.bottom <= bottom <= shape[0]
        assert 0 <= left <= mask.box.left and mask.box.right <= right <= shape[1]
        row, column = (point - (mask.box.top, mask.box.left)).astype(int)
        assert (mask.pixels if mask.nucleus is None else mask.nucleus)[row, column]


def test_the_point_of_a_horseshoe_nucleus_lies_in_it() -> None:
    pixels = np.ones((21, 21), bool)
    nucleus = np.zeros_like(pixels)
    nucleus[2:19, 2:19] = True
    nucleus[2:15, 6:15] = False
    mask = Mask("WBC", Box(0, 0, 21, 21), pixels, nucleus, 1.0, True)
    row, column = prompts_from([mask], (21, 21)).points[0].astype(int)
    assert nucleus[row, column]


def test_the_grid_covers_the_image_evenly() -> None:
    points = grid_prompts(32, (363, 360, 3)).points
    assert len(points) == 1024
    assert np.allclose(points.mean(axis=0), (181.5, 180), atol=1e-3)
    assert points.min() > 0 and (points.max(axis=0) < (363, 360)).all()


@pytest.mark.parametrize("shape", [(90, 60), (300, 200), (35, 35)])
def test_a_mask_keeps_its_place_and_size_at_any_scale(shape: tuple[int, int]) -> None:
    frame = Frame(shape, SIDE)
    drawn = np.zeros(shape, bool)
    drawn[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] - 3] = True
    found = frame.mask(logits_of(drawn, frame))
    assert found is not None
    box, pixels = found
    whole = np.zeros(shape, bool)
    whole[box.slices] = pixels
    assert iou(whole, drawn) > 0.95
    assert frame.mask(logits_of(drawn & False, frame)) is None


@pytest.mark.parametrize("with_boxes", [True, False])
def test_answers_do_not_depend_on_the_batch(weights: Path, with_boxes: bool) -> None:
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (50, 80, 3), dtype=np.uint8)
    corners = np.sort(rng.uniform(0, 50, (7, 2, 2)), axis=1).reshape(7, 4).astype(np.float32)
    prompts = Prompts(corners[:, :2], corners if with_boxes else None)
    model, frame = load_sam(str(weights), "cpu"), Frame((50, 80), SIDE)
    (alone,), together = model.embed([rgb]), model.embed([rgb[::-1], rgb])
    assert np.allclose(alone.numpy(), together[1].numpy(), atol=1e-4)
    whole = model.decode(alone, prompts, frame)
    for size in (1, 3):
        parts = [model.decode(alone, part, frame) for part in prompts.batches(size)]
        logits = np.concatenate([part.logits for part in parts])
        assert np.allclose(logits, whole.logits, atol=1e-3)


def test_half_precision_sees_nearly_the_same(weights: Path, phantom: PhantomImage) -> None:
    model = load_sam(str(weights), "cpu")
    (exact,), (half,) = (m.embed([phantom.image]) for m in (model, replace(model, half=True)))
    assert half.dtype == torch.float32
    assert 0 < (exact - half).abs().max() < 0.05 * exact.abs().max()
