"""SAM as a segmenter: what it needs, what it refuses, and the whole path on a random network."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from naturalize.datasets.phantom_field import PhantomImage
from naturalize.errors import InputError, MissingExtraError
from naturalize.segment import SEGMENTERS, Sam
from naturalize.segment.sam_model import load_sam
from sam_stand_ins import (
    MODES,
    alike,
    assert_disjoint,
    draw_phantom,
    save_tiny,
    tiny,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("sam") / "tiny", seed=0)


@pytest.fixture(scope="module")
def phantom() -> PhantomImage:
    return draw_phantom()


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
