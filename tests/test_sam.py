"""SAM is asked the right questions, and its answers become disjoint, typed masks.

A tiny random model runs the whole path; an oracle that knows a phantom's masks stands in for a
trained decoder where masks have to mean something.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import nms
from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

from naturalize import seeds
from naturalize.datasets.phantom_field import PhantomImage, render
from naturalize.datasets.phantom_slide import sample_slide
from naturalize.errors import InputError, MissingExtraError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import SEGMENTERS, Mask, Sam
from naturalize.segment.disjoint import clean, make_disjoint
from naturalize.segment.sam_answer import choose, stability
from naturalize.segment.sam_frame import Frame
from naturalize.segment.sam_grid import distinct, whole_objects
from naturalize.segment.sam_model import load_sam, pixel_values
from naturalize.segment.sam_prompts import Candidates, Prompts, grid_prompts, prompts_from

SIDE = 128
LOW = 64
MODES = ("smear", "grid")


def tiny_config() -> SamConfig:
    width = {"hidden_size": 32, "mlp_dim": 64}
    square = {"image_size": SIDE, "patch_size": 8}
    vision = {"output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    windows = {"window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 16}
    return SamConfig(
        vision_config={**width, **square, **vision, **windows},
        prompt_encoder_config={"hidden_size": 32, **square, "mask_input_channels": 8},
        mask_decoder_config={**width, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )


def save_tiny(folder: Path, seed: int) -> Path:
    """Save a random model whose answers are well above the noise of float32."""
    torch.manual_seed(seed)
    model = SamModel(tiny_config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "positional_embedding" not in name:
                parameter.normal_(std=0.25)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("sam") / "tiny", seed=0)


@pytest.fixture(scope="module")
def phantom() -> PhantomImage:
    rng = seeds.child(7, "sam")
    return render("SNE", rng=rng, slide=sample_slide(rng))


def tiny(weights: Path, **given: Any) -> Sam:
    """Return a SAM that believes the random model whatever it says."""
    return Sam(**{"weights": str(weights), "min_predicted_iou": 0, "min_stability": 0, **given})


def logits_of(pixels: NDArray[np.bool_], frame: Frame) -> NDArray[np.float32]:
    """Return decoder logits, +-8, that show a mask of the image."""
    height, width = frame.resized
    square = np.full((frame.side_px, frame.side_px), -8, np.float32)
    shown = cv2.resize(pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    square[:height, :width] = 16 * shown - 8
    return np.asarray(cv2.resize(square, (LOW * 4, LOW * 4), interpolation=cv2.INTER_AREA))


Told = Callable[[NDArray[np.bool_]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Oracle:
    """Knows the masks of phantoms. Offers the nucleus, the cell, and all cells together."""

    known: Sequence[PhantomImage]
    predicted: tuple[float, float, float] = (0.95, 0.95, 0.95)
    tell: Told = field(default=lambda pixels: pixels)
    side_px: int = 1024

    def embed(self, images: Sequence[Rgb]) -> list[PhantomImage]:
        return [next(p for p in self.known if np.array_equal(p.image, rgb)) for rgb in images]

    def decode(self, embedding: PhantomImage, prompts: Prompts, frame: Frame) -> Candidates:
        truth = [mask.to_image(frame.shape) for mask in embedding.masks]
        everything = np.any(truth, axis=0)
        answers = []
        for i, (row, column) in enumerate(prompts.points.astype(int)):
            there = [k for k in range(len(truth)) if truth[k][row, column]]
            if prompts.boxes is not None:
                top, left, bottom, right = prompts.boxes[i].astype(int)
                there.sort(key=lambda k: -truth[k][top:bottom, left:right].sum())
            cell = truth[there[0]] if there else ~everything
            nucleus = np.zeros_like(cell)
            if there and embedding.masks[there[0]].nucleus is not None:
                nucleus[embedding.masks[there[0]].box.slices] = embedding.masks[there[0]].nucleus
            answers.append([logits_of(self.tell(m), frame) for m in (nucleus, cell, everything)])
        return Candidates(np.array(answers), np.tile(np.float32(self.predicted), (len(prompts), 1)))


@dataclass(frozen=True)
class Informed(Sam):
    """SAM with an oracle in place of its network."""

    oracle: Any = None

    def model(self) -> Any:
        return self.oracle


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def alike(one: Sequence[Mask], other: Sequence[Mask], shape: tuple[int, ...]) -> bool:
    """Whether two answers are the same up to float noise at the threshold."""
    pairs = list(zip(one, other, strict=True))
    return all(
        a.kind == b.kind
        and a.score == pytest.approx(b.score, abs=1e-3)
        and iou(a.to_image(shape), b.to_image(shape)) > 0.99
        for a, b in pairs
    )


def assert_disjoint(masks: Sequence[Mask], shape: tuple[int, ...]) -> None:
    covered = np.zeros(shape[:2], int)
    for mask in masks:
        assert cv2.connectedComponents(mask.pixels.astype(np.uint8))[0] == 2
        assert mask.nucleus is None or not (mask.nucleus & ~mask.pixels).any()
        covered += mask.to_image(shape)
    assert covered.max(initial=0) <= 1


# -- What it is and what it needs ------------------------------------------------------------------


def test_is_a_segmenter_that_needs_no_torch_until_used() -> None:
    assert SEGMENTERS["sam"] is Sam
    code = "import sys, naturalize.segment; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert pickle.loads(pickle.dumps(Sam(points_per_side=8))) == Sam(points_per_side=8)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompts": "text"}, "prompts: expected smear or grid, got text"),
        ({"points_per_side": 0}, "points_per_side: expected at least 1, got 0"),
        ({"prompt_batch": -1}, "prompt_batch: expected at least 1, got -1"),
        ({"min_stability": 1.5}, "min_stability: expected a share from 0 to 1, got 1.5"),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Sam(**given)


def test_wrong_device_is_named(weights: Path) -> None:
    with pytest.raises(InputError, match="device: expected a device torch can use here"):
        tiny(weights, device="abacus").parameters()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_rgb_image_is_refused(weights: Path, mode: str) -> None:
    with pytest.raises(InputError, match=r"rgb: expected uint8 \(height, width, 3\)"):
        tiny(weights, prompts=mode).segment(np.zeros((20, 20), np.uint8))


def test_missing_weights_name_three_ways(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for missing in ("facebook/sam-vit-base", "no/such/folder", str(tmp_path)):
        with pytest.raises(InputError) as error:
            Sam(missing).segment(np.zeros((20, 20, 3), np.uint8))
        for way in ("hf download facebook/sam-vit-base", "config.json and model.saf", "HF_HOME"):
            assert way in str(error.value)
        assert f"weights {missing}" in str(error.value)


def test_weights_in_the_hub_cache_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Path
) -> None:
    model = tmp_path / "models--facebook--sam-vit-base"
    shutil.copytree(weights, model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert Sam().parameters()["weights"] == tiny(weights).parameters()["weights"]


def test_unusable_weights_are_refused(tmp_path: Path, weights: Path) -> None:
    def altered(name: str, change: Callable[[Path], object]) -> Sam:
        change(Path(shutil.copytree(weights, tmp_path / name)))
        return tiny(tmp_path / name)

    def pickled(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save({}, folder / "pytorch_model.bin")

    blank = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(InputError, match=r"without model\.safetensors"):
        altered("pickled", pickled).segment(blank)
    with pytest.raises(InputError, match=r"type sam .*, got bert"):
        altered(
            "other", lambda f: (f / "config.json").write_text('{"model_type": "bert"}')
        ).segment(blank)
    with pytest.raises(InputError, match=r"the config\.json of a SAM model"):
        altered("torn", lambda f: (f / "config.json").write_text("{")).segment(blank)
    with pytest.raises(InputError, match="a whole SAM model"):
        altered("cut", lambda f: os.truncate(f / "model.safetensors", 5000)).segment(blank)


def test_weights_that_lack_a_tensor_are_refused(tmp_path: Path, weights: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(weights, tmp_path / "less"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["mask_decoder.iou_token.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"one without mask_decoder\.iou_token\.weight"):
        tiny(folder).segment(np.zeros((20, 20, 3), np.uint8))


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "naturalize.segment.sam_weights.find_spec",
        lambda name: None if name == "transformers" else found(name),
    )
    with pytest.raises(MissingExtraError, match=r"transformers is not .*naturalize\[sam\]"):
        Sam().segment(np.zeros((20, 20, 3), np.uint8))


def test_model_is_loaded_once(weights: Path) -> None:
    assert tiny(weights).model() is tiny(weights, prompts="grid").model()
    assert load_sam(str(weights), None) is tiny(weights).model()


def test_parameters_hold_the_digest_of_the_weights(tmp_path: Path, weights: Path) -> None:
    digest = hashlib.sha256((weights / "model.safetensors").read_bytes()).hexdigest()
    here = tiny(weights).parameters()
    assert here["weights"] == f"sha256:{digest}"
    assert here == tiny(Path(shutil.copytree(weights, tmp_path / "moved"))).parameters()
    assert str(weights) not in json.dumps(here)
    for other in (
        tiny(save_tiny(tmp_path / "other", seed=1)),
        tiny(weights, prompts="grid"),
        tiny(weights, agreement=0.5),
        tiny(weights, smear=replace(Sam().smear, microns_per_px=0.1)),
    ):
        assert other.parameters() != here


# -- How SAM is asked ------------------------------------------------------------------------------


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


# -- What is made of the answers -------------------------------------------------------------------


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
    nuclei = cv2.dilate(nuclei.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    nuclei[: phantom.image.shape[0] // 2] |= nuclei.any()  # the upper half, so no ring is filled
    oracle = Oracle([phantom], tell=lambda pixels: pixels & ~nuclei)
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
    start = rng.integers(0, 20, (30, 2))
    boxes = np.concatenate([start, start + rng.integers(1, 30, (30, 2))], axis=1)
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


# -- The whole path on a real, if random, network --------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_random_network_gives_disjoint_masks_and_the_same_again(
    weights: Path, phantom: PhantomImage, mode: str
) -> None:
    sam = tiny(weights, prompts=mode, points_per_side=12)
    first, again = (next(iter(sam.answers([phantom.image]))) for _ in range(2))
    assert_disjoint(first.masks, phantom.image.shape)
    assert len(first.masks) + len(first.lost) > 0
    assert [m.box for m in first.masks] == [m.box for m in again.masks]
    assert all(
        np.array_equal(a.pixels, b.pixels) for a, b in zip(first.masks, again.masks, strict=True)
    )
    assert all(0 <= mask.score <= 1 for mask in first.masks)
    assert [lost.reason for lost in first.lost] == [lost.reason for lost in again.lost]


@pytest.mark.parametrize("mode", MODES)
def test_several_images_at_once_give_what_each_gives_alone(
    weights: Path, phantom: PhantomImage, mode: str
) -> None:
    blank = np.full((40, 60, 3), 230, np.uint8)
    given = [phantom.image, blank, phantom.image[:200, :150], phantom.image[::-1]]
    sam = tiny(weights, prompts=mode, points_per_side=8, image_batch=3)
    together = sam.segment_all(given)
    for rgb, masks in zip(given, together, strict=True):
        assert alike(masks, replace(sam, prompt_batch=5).segment(rgb), rgb.shape)
    assert sam.segment_all([]) == []


@pytest.mark.parametrize("mode", MODES)
def test_no_image_makes_it_fall_over(weights: Path, mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    odd = [np.full((h, w, 3), v, np.uint8) for h, w, v in ((1, 1, 0), (5, 300, 255), (50, 50, 0))]
    odd += [np.full((363, 360, 3), v, np.uint8) for v in (0, 255)]
    for rgb in (*odd, noise):
        assert_disjoint(tiny(weights, prompts=mode, points_per_side=6).segment(rgb), rgb.shape)


def test_a_large_field_is_looked_at_as_a_whole(weights: Path, phantom: PhantomImage) -> None:
    large = np.tile(phantom.image, (2, 3, 1))
    (answer,) = tiny(weights).answers([large])
    assert_disjoint(answer.masks, large.shape)
    assert len(answer.masks) + len(answer.lost) == len(Sam().smear.segment(large)) > 20
