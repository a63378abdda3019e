"""SAM's answers become disjoint, typed masks, and what it does not confirm stays in sight."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import nms

from naturalize.datasets.phantom_field import PhantomImage
from naturalize.geometry import Box
from naturalize.segment import Mask, Sam
from naturalize.segment.disjoint import clean, make_disjoint
from naturalize.segment.sam_answer import choose, stability
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_grid import distinct, whole_objects
from naturalize.segment.sam_prompts import Candidates
from sam_stand_ins import (
    Informed,
    Oracle,
    assert_disjoint,
    draw_phantom,
    iou,
)


@pytest.fixture(scope="module")
def phantom() -> PhantomImage:
    return draw_phantom()


def test_stability_is_the_iou_of_the_masks_above_and_below() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (5, 3, 20, 20)).astype(np.float32)
    expected = [[iou(one > 1, one > -1) for one in three] for three in logits]
    assert np.allclose(stability(logits), expected)
    assert stability(np.full((4, 4), -9, np.float32)) == 0


def test_the_candidate_of_the_proposals_size_is_chosen() -> None:
    frame = Frame((64, 64), 64)
    logits = np.full((1, 3, 64, 64), -5, np.float32)
    for i, side in enumerate((10, 20, 40)):
        logits[0, i, :side, :side] = 5
    equal = Candidates(logits, np.full((1, 3), 0.9, np.float32))
    for i, side in enumerate((10, 20, 40)):
        chosen = choose(equal, np.array([float(side**2)]), frame)
        assert np.array_equal(chosen.logits[0], logits[0, i])
    sure = Candidates(logits, np.array([[0.9, 0.1, 0.9]], np.float32))
    assert np.array_equal(choose(sure, np.array([14.0**2]), frame).logits[0], logits[0, 0])


def test_the_oracles_cells_come_back_whole_and_typed(phantom: PhantomImage) -> None:
    sam = Informed(oracle=Oracle([phantom]))
    shape = phantom.image.shape
    (answer,) = sam.answers([phantom.image])
    proposals = sam.smear.segment(phantom.image)
    assert len(answer.masks) + len(answer.lost) == len(proposals)
    assert_disjoint(answer.masks, shape)
    truth = [mask.to_image(shape) for mask in phantom.masks]
    for mask in answer.masks:
        best = max(range(len(truth)), key=lambda i: iou(truth[i], mask.to_image(shape)))
        assert iou(truth[best], mask.to_image(shape)) > 0.9
        assert mask.kind == phantom.masks[best].kind
        assert 0 < mask.score <= 0.95
    assert {mask.kind for mask in answer.masks} >= {"WBC", "RBC"}
    assert sam.segment(phantom.image)[0].kind == "WBC"


def test_disagreement_with_the_proposal_is_reported(phantom: PhantomImage) -> None:
    def smaller(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return cv2.erode(pixels.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0

    shape = phantom.image.shape
    agreeing = Informed(oracle=Oracle([phantom])).segment(phantom.image)
    differing = Informed(oracle=Oracle([phantom], tell=smaller)).segment(phantom.image)
    proposals = Sam().smear.segment(phantom.image)
    noted = [m for m in differing if any("disagrees with smear" in r for r in m.reasons)]
    assert len(noted) > len([m for m in agreeing if any("disagrees" in r for r in m.reasons)])
    for mask in noted:
        shared = max(iou(mask.to_image(shape), p.to_image(shape)) for p in proposals)
        assert shared < Sam().agreement
        if "overlap" not in mask.reasons:
            assert f"disagrees with smear (IoU {shared:.2f})" in mask.reasons


@pytest.mark.parametrize(
    ("oracle", "reason"),
    [
        ({"predicted": (0.1, 0.2, 0.1)}, "predicted IoU 0."),
        ({"tell": lambda pixels: pixels & False}, "stability 0.00"),
        ({"tell": lambda pixels: np.roll(pixels, 180, axis=(0, 1))}, "another object"),
    ],
)
def test_what_sam_does_not_confirm_is_lost_in_sight(
    phantom: PhantomImage, oracle: dict[str, Any], reason: str
) -> None:
    sam = Informed(oracle=Oracle([phantom], **oracle))
    (answer,) = sam.answers([phantom.image])
    proposals = sam.smear.segment(phantom.image)
    assert len(answer.masks) + len(answer.lost) == len(proposals)
    assert [lost for lost in answer.lost if reason in lost.reason]
    boxes = {mask.box for mask in proposals}
    assert all(lost.proposal.box in boxes for lost in answer.lost)


def test_a_cell_without_its_nucleus_is_lost(phantom: PhantomImage) -> None:
    proposals = Sam().smear.segment(phantom.image)
    nuclei = np.zeros(phantom.image.shape[:2], bool)
    for mask in proposals:
        if mask.nucleus is not None:
            nuclei[mask.box.slices] |= mask.nucleus
    gone = cv2.dilate(nuclei.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    gone[: phantom.image.shape[0] // 2] = True  # opens the ring, which would be filled again
    oracle = Oracle([phantom], tell=lambda pixels: pixels & ~gone)
    (answer,) = Informed(oracle=oracle).answers([phantom.image])
    assert not [mask for mask in answer.masks if mask.kind == "WBC"]
    assert [lost for lost in answer.lost if lost.proposal.kind == "WBC"]


def test_the_grid_finds_whole_cells_and_their_kinds(phantom: PhantomImage) -> None:
    sam = Informed(prompts="grid", points_per_side=14, oracle=Oracle([phantom]))
    masks = sam.segment(phantom.image)
    shape = phantom.image.shape
    assert_disjoint(masks, shape)
    apart = [m for m in phantom.masks if "overlap" not in m.reasons and m.area_px > 300]
    for truth in apart:
        best = max(masks, key=lambda m: iou(m.to_image(shape), truth.to_image(shape)))
        assert iou(best.to_image(shape), truth.to_image(shape)) > 0.85
        assert (best.kind == "WBC") == (truth.kind == "WBC")
        assert (best.nucleus is None) == (truth.nucleus is None)
    assert len(masks) <= len(phantom.masks)
    assert all(0.9 < mask.score <= 0.95 for mask in masks)


def test_whole_objects_drops_nuclei_and_clumps() -> None:
    canvas = np.zeros((6, 60, 60), bool)
    canvas[0, 5:25, 5:25] = True  # a cell
    canvas[1, 10:18, 10:18] = True  # its nucleus
    canvas[2, 30:40, 5:15] = True  # one of a clump
    canvas[3, 30:40, 16:26] = True  # the other
    canvas[4, 30:40, 5:26] = True  # the clump
    canvas[5, 45:55, 45:55] = True  # alone
    assert whole_objects(canvas).tolist() == [0, 2, 3, 5]
    assert whole_objects(canvas[::-1]).tolist() == [0, 2, 3, 5]
    assert whole_objects(canvas[[0, 0]]).size == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_doubles_fall_away_as_in_torchvision(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 20, (30, 2))  # no ties at the threshold, which floats decide by chance
    boxes = np.concatenate([start, start + rng.uniform(1, 30, (30, 2))], axis=1)
    score = rng.permutation(30) / 30
    expected = nms(torch.tensor(boxes).float(), torch.tensor(score).float(), 0.7)
    assert distinct(boxes, score).tolist() == expected.tolist()


def test_clean_keeps_the_largest_piece_without_holes() -> None:
    pixels = np.zeros((20, 20), bool)
    pixels[2:12, 3:13] = True
    pixels[6, 7] = False
    pixels[15:17, 15:17] = True
    found = clean(pixels)
    assert found is not None
    box, piece = found
    assert box == Box(2, 3, 10, 10)
    assert piece.all()
    assert clean(np.zeros((5, 5), bool)) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_disjoint_masks_share_nothing_and_add_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = []
    for _ in range(6):
        row, column = rng.integers(0, 40, 2)
        height, width = rng.integers(3, 24, 2)
        kind = ("WBC", "PLT", "RBC")[rng.integers(3)]
        box = Box(int(row), int(column), int(height), int(width))
        full = np.ones((height, width), bool)
        nucleus = full.copy() if kind == "WBC" else None
        masks.append(Mask(kind, box, full, nucleus, float(rng.uniform()), False))
    left = make_disjoint(masks, (64, 64))
    assert_disjoint([m for m in left if m is not None], (64, 64))
    best = min(masks, key=lambda m: (("WBC", "PLT", "RBC").index(m.kind), -m.score))
    for before, after in zip(masks, left, strict=True):
        if after is None:
            continue
        assert not (after.to_image((64, 64)) & ~before.to_image((64, 64))).any()
        assert 2 * after.area_px >= before.area_px
        assert ("overlap" in after.reasons) == (after.area_px < 0.95 * before.area_px)
        if before is best:
            assert after.area_px == before.area_px
