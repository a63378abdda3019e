"""Score-CAM: the reference's pictures, planted reasons, and networks left as they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from naturalize.errors import InputError
from naturalize.explain.alike import clusters, distinct
from naturalize.explain.maps import cam_layer, look
from naturalize.explain.score_cam import CamSettings, score_cam
from naturalize.train.backbones import build
from naturalize.train.trained_model import CbamInfo, ModelInfo, build_network

HALF = (0.5, 0.5, 0.5)
ALL = CamSettings(channels=None)


def image(side: int, seed: int = 0) -> Tensor:
    """A picture with large shapes, normalised."""
    small = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(small, size=(side, side), mode="bicubic") * 2 - 1


class Planted(nn.Module):
    """Class 1 is brightness in the lower right quarter, class 0 that in the upper left one."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.AvgPool2d(4)
        self.head = nn.Dropout(0.9)

    def forward(self, images: Tensor) -> Tensor:
        found = self.head(self.maps(images))
        half = found.shape[-1] // 2
        ends = found[..., :half, :half], found[..., half:, half:]
        return torch.stack([part.mean(dim=(1, 2, 3)) for part in ends], dim=1) * 20


def bright_corners() -> Tensor:
    picture = torch.zeros(1, 3, 32, 32)
    picture[:, 0, 2:14, 2:14] = 1
    picture[:, 1, 18:30, 18:30] = 1
    return picture


def info(backbone: str, *, side: int = 64, cbam: CbamInfo | None = None) -> ModelInfo:
    return ModelInfo(
        backbone=backbone,
        classes=("a", "b", "c"),
        input_px=side,
        crop_px=None,
        mean=HALF,
        std=HALF,
        weights="random",
        cbam=cbam,
    )


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("name", ["custom-cnn", "timm:test_vit", "timm:test_efficientnet"])
def test_all_maps_give_the_reference_picture(name: str) -> None:
    cam = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    layers = {"timm:test_vit": "blocks.5.norm1", "timm:test_efficientnet": "bn2"}
    model = build(name, n_classes=3, input_px=64, weights="random").eval()
    layer = layers.get(name, "features.10")

    def grid(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, 4, 4)

    reshape: Callable[[Tensor], Tensor] | None = grid if "vit" in name else None
    module = model.get_submodule(layer)
    for seed in range(2):
        shown = image(64, seed)
        method = cam.ScoreCAM(model, [module], reshape_transform=reshape)
        (reference,) = method(shown, [targets.ClassifierOutputTarget(1)])
        ours = score_cam(model, shown, layer=layer, target=1, settings=ALL)
        assert correlation(reference, ours) >= 0.999


@pytest.mark.parametrize("weighting", ["softmax", "increase"])
def test_heat_lies_where_the_class_does(weighting: str) -> None:
    settings = CamSettings(channels=None, weighting=weighting)  # type: ignore[arg-type]
    for target, part in enumerate((np.s_[:16, :16], np.s_[16:, 16:])):
        heat = score_cam(
            Planted(), bright_corners(), layer="maps", target=target, settings=settings
        )
        assert heat.shape == (32, 32)
        assert heat.dtype == np.float32
        assert (heat.min(), heat.max()) == (0, 1)
        assert heat[part].sum() > 0.9 * heat.sum()


@pytest.mark.parametrize("name", ["custom-cnn", "timm:test_vit", "timm:test_convnext", "cbam"])
def test_every_kind_of_network_gives_a_picture(name: str) -> None:
    described = info(name)
    if name == "cbam":
        pair = (info("custom-cnn"), info("timm:test_vit"))
        described = info(name, cbam=CbamInfo(branches=pair, merge="concat", spatial="cbam"))
    model = build_network(described, weights="random")
    layer = cam_layer(described)
    heat = score_cam(model, image(64), layer=layer, target=0, settings=CamSettings(channels=8))
    assert heat.shape == (64, 64)
    assert np.isfinite(heat).all()


class Swapped(nn.Module):
    """A network that keeps channels last, as timm's Swin does."""

    output_fmt = "NHWC"

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 16, stride=16)
        self.head = nn.Linear(5, 3)

    def forward_features(self, images: Tensor) -> Tensor:
        return self.stem(images).permute(0, 2, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.forward_features(images).mean(dim=(1, 2)))


def test_channels_last_maps_are_turned() -> None:
    model, shown = Swapped(), image(64)
    seen = look(model, shown, "")
    with torch.no_grad():
        assert torch.equal(seen.maps, model.stem(shown)[0])


def test_flat_maps_make_no_nan() -> None:
    model = build("custom-cnn", n_classes=3, input_px=32)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    heat = score_cam(model, image(32), layer="features.10", target=0, settings=ALL)
    assert (heat == 0).all()
    half_flat = Planted()
    picture = bright_corners()
    picture[:, 1] = 0.5
    heat = score_cam(half_flat, picture, layer="maps", target=0, settings=ALL)
    assert np.isfinite(heat).all()
    assert heat.max() == 1


def test_modes_and_hooks_are_as_before_even_after_an_error() -> None:
    model = build("custom-cnn", n_classes=3, input_px=32).train()
    model.get_submodule("features.4").eval()
    before = [module.training for module in model.modules()]
    score_cam(model, image(32), layer="features.10", target=0, settings=ALL)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(RuntimeError):
        score_cam(model, image(48), layer="features.10", target=0, settings=ALL)
    with pytest.raises(IndexError):
        score_cam(model, image(32), layer="features.10", target=7, settings=ALL)
    assert [module.training for module in model.modules()] == before
    assert not any(module._forward_hooks for module in model.modules())


def test_masks_pass_in_batches_that_fit_the_memory_and_change_nothing() -> None:
    model = build("custom-cnn", n_classes=3, input_px=64).eval()
    batches: list[int] = []
    handle = model.register_forward_pre_hook(lambda _, given: batches.append(len(given[0])))
    pictures = []
    for memory_mib in (1, 8):
        batches.clear()
        settings = CamSettings(channels=None, memory_mib=memory_mib)
        pictures.append(
            score_cam(model, image(64), layer="features.10", target=0, settings=settings)
        )
        held = look(model, image(64), "features.10").held_bytes
        assert max(batches) in range(1, max(2, memory_mib * 2**20 // held + 1))
    handle.remove()
    assert np.abs(pictures[0] - pictures[1]).max() < 1e-4


def test_few_masks_stand_for_all() -> None:
    model = build("timm:test_efficientnet", n_classes=3, input_px=64, weights="random").eval()
    whole = score_cam(model, image(64), layer="bn2", target=1, settings=ALL)
    some = score_cam(model, image(64), layer="bn2", target=1, settings=CamSettings(channels=24))
    enough = score_cam(model, image(64), layer="bn2", target=1, settings=CamSettings(channels=999))
    assert correlation(whole, some) > 0.98
    assert np.array_equal(whole, enough)


def test_groups_are_of_rows_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    middles = rng.random((5, 9)).astype(np.float32) * 10
    member = rng.integers(5, size=60)
    rows = middles[member] + rng.normal(0, 0.01, (60, 9)).astype(np.float32)
    means, which = clusters(rows, 5)
    assert np.abs(means[which] - middles[member]).max() < 0.05
    few, same = distinct(np.repeat(middles, 3, axis=0))
    assert len(few) == 5
    assert np.array_equal(few[same], np.repeat(middles, 3, axis=0))
    assert len(clusters(np.zeros((7, 4), np.float32), 3)[0]) == 1


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"channels": 0}, {"memory_mib": 0}, {"weighting": "guess"}):
        with pytest.raises(InputError):
            CamSettings(**wrong)  # type: ignore[arg-type]
