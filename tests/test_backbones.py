"""Every network by its name: built, fed, trained, resumed; and weights from wherever they come."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from naturalize.compose.batches import Batches
from naturalize.errors import InputError
from naturalize.train import backbones, weight_sources, weights
from naturalize.train.arms import find_arm
from naturalize.train.backbones import BACKBONES, find_backbone
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.examples import ImageExamples
from naturalize.train.feed import PoolFeed
from naturalize.train.fit import FitSettings, fit
from naturalize.train.predict import predict
from naturalize.train.prepare import Preparation
from naturalize.train.processes import start_accelerator
from naturalize.train.targets import smoothed_targets

HALF = (0.5, 0.5, 0.5)
# The three largest are made thin: the same layers in the same order, small checkpoints.
THIN = {
    "convnext_base": {"depths": (1, 1, 2, 1), "dims": (8, 16, 16, 32)},
    "vgg19": {"mlp_ratio": 0.01},
    "vit_base_patch16_224": {"depth": 12, "embed_dim": 48, "num_heads": 3},
}
create_model = timm.create_model


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "create_model", lambda name, **given: _thinned(name, given))


def _thinned(name: str, given: dict[str, object]) -> nn.Module:
    return create_model(name, **given, **THIN.get(name, {}))


def examples(pool: torch.Tensor, batches: Batches) -> ImageExamples:
    targets = smoothed_targets(3, 0.1)
    preparation = Preparation(
        find_arm("flips"), 32, HALF, HALF, targets, batches.batch_size, steps=9, seed=0
    )
    return ImageExamples(PoolFeed(pool, batches), preparation)


def trained(model: nn.Module, steps: int, checkpoint: Path, *, stop: int | None = None) -> None:
    """Train with batches of two; ``stop`` kills the training before that step."""

    def track(items: Iterator[int], total: int, what: str) -> Iterator[int]:
        for step in items:
            if step == stop:
                raise InterruptedError
            yield step

    pool = torch.randint(
        0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    batches = Batches(np.arange(4) % 3, np.array([], np.int64), 0.0, batch_size=2, seed=0)
    fit(
        model,
        examples(pool, batches),
        FitSettings("finetune", steps, 1e-3),
        accelerator=start_accelerator("cpu"),
        checkpoint=checkpoint,
        checkpoint_every=1,
        track=track,  # type: ignore[arg-type]
    )


class TestEveryBackbone:
    @pytest.mark.parametrize("name", BACKBONES)
    def test_predicts_undecided_each_image_by_itself_and_shows_its_cam_layer(
        self, name: str
    ) -> None:
        model = backbones.build(name, n_classes=11, input_px=32, weights="random")
        seen: list[torch.Tensor] = []
        layer = model.get_submodule(BACKBONES[name].cam_layer)
        hook = layer.register_forward_hook(lambda module, given, out: seen.append(out))
        row = BACKBONES[name]
        pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
        one, all_ = (
            predict(model, pixels, mean=row.mean, std=row.std, batch_size=size) for size in (1, 3)
        )
        hook.remove()
        assert np.allclose(one, all_, atol=1e-5)
        assert one.shape == (3, 11)
        assert one.min() > 1 / 11 / 10
        assert one.max() < 1 / 2
        assert model.training
        assert seen[0].shape[1:2] == (1 + (32 // 16) ** 2,) if name == "vit-b16" else True
        assert seen[0].ndim == (3 if name == "vit-b16" else 4)

    @pytest.mark.usefixtures("thin")
    @pytest.mark.parametrize("name", BACKBONES)
    def test_two_steps_killed_and_resumed_give_the_same_bits(
        self, name: str, tmp_path: Path
    ) -> None:
        build = partial(backbones.build, name, n_classes=3, input_px=32, weights="random")
        whole, cut = build(), build()
        first = {key: tensor.clone() for key, tensor in whole.state_dict().items()}
        trained(whole, 2, tmp_path / "whole")
        with pytest.raises(InterruptedError):
            trained(cut, 2, tmp_path / "cut", stop=1)
        resumed = build()
        trained(resumed, 2, tmp_path / "cut")
        ours, theirs = whole.state_dict(), resumed.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert not torch.equal(ours[next(iter(ours))], first[next(iter(ours))])

    @pytest.mark.parametrize("name", [n for n, row in BACKBONES.items() if row.timm_id])
    def test_pixels_are_normalised_as_the_published_weights_want(self, name: str) -> None:
        row = BACKBONES[name]
        known = timm.get_pretrained_cfg(str(row.timm_id))
        assert (row.mean, row.std) == (known.mean, known.std)

    def test_any_network_of_timm(self) -> None:
        model = backbones.build("timm:resnet18", n_classes=3, input_px=32, weights="random")
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
        assert find_backbone("timm:resnet18").mean == (0.485, 0.456, 0.406)

    @pytest.mark.parametrize("name", ["resnet18", "timm:", "timm:no_such_net", "densenet"])
    def test_an_unknown_name_lists_the_known(self, name: str) -> None:
        with pytest.raises(InputError, match=r"efficientnet-lite0.*timm:NAME"):
            find_backbone(name)

    def test_a_network_without_a_linear_last_layer_is_refused(self) -> None:
        with pytest.raises(InputError, match="last layer is linear"):
            backbones.build("timm:levit_128s", n_classes=2, input_px=64, weights="random")

    def test_a_size_it_does_not_take_is_refused(self) -> None:
        with pytest.raises(InputError, match="input_px"):
            backbones.build("timm:inception_v3", n_classes=2, input_px=32, weights="random")


class TestWeightSources:
    def test_the_hub_is_asked_where_nothing_is_cached(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub = Hub(tmp_path)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
        found = weight_sources.resolve_weights("densenet-121", "densenet121", None)
        assert found.said == "hub timm/densenet121.ra_in1k abc123"
        again = weight_sources.resolve_weights("densenet-121", "densenet121", "hub")
        assert again == found
        assert hub.downloads == 1

    def test_no_connection_and_nothing_cached_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", Hub(tmp_path, online=False))
        with pytest.raises(InputError, match=r"timm/vgg19.*random, or a file.*no connection"):
            weight_sources.resolve_weights("vgg-19", "vgg19", None)

    def test_a_transformers_positions_are_resampled(self, tmp_path: Path, thin: None) -> None:
        large = backbones.build("vit-b16", n_classes=2, input_px=64, weights="random")
        save_file(large.state_dict(), tmp_path / "w.safetensors")
        small = backbones.build(
            "vit-b16", n_classes=2, input_px=32, weights=str(tmp_path / "w.safetensors")
        )
        ours, theirs = small.pos_embed, large.pos_embed
        assert isinstance(ours, torch.Tensor)
        assert isinstance(theirs, torch.Tensor)
        assert torch.equal(ours[:, :1], theirs[:, :1])
        assert ours.shape[1] == 5
        assert torch.allclose(ours[:, 1:].mean(), theirs[:, 1:].mean(), atol=1e-2)

    def test_another_backbones_weights_are_refused(self, tmp_path: Path) -> None:
        save_file(CustomCNN(input_px=32).state_dict(), tmp_path / "w.safetensors")
        with pytest.raises(InputError, match=r"no conv_stem\.weight"):
            backbones.build(
                "efficientnet-lite0",
                n_classes=2,
                input_px=32,
                weights=str(tmp_path / "w.safetensors"),
            )


class Hub:
    """A hub with its cache: what was downloaded once is found without a connection."""

    def __init__(self, folder: Path, *, online: bool = True) -> None:
        self.folder, self.online, self.downloads = folder, online, 0

    def __call__(self, repository: str, file: str, *, local_files_only: bool = False) -> str:
        path = self.folder / repository / "abc123" / file
        if not path.exists() and (local_files_only or not self.online):
            raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")
        if not path.exists():
            self.downloads += 1
            path.parent.mkdir(parents=True)
            path.write_bytes(b"")
        return str(path)


class TestModels:
    def test_custom_cnn_has_the_papers_parameters(self) -> None:
        model = CustomCNN(n_classes=11)
        assert sum(p.numel() for p in model.parameters()) == 3_310_251

    def test_the_seed_decides_random_weights(self) -> None:
        a, b, c = (
            backbones.build("custom-cnn", n_classes=2, input_px=32, seed=seed).classifier.weight
            for seed in (0, 0, 1)
        )
        assert torch.equal(a, b)
        assert not torch.equal(a, c)

    def test_transfer_leaves_the_base_bit_identical(self, tmp_path: Path) -> None:
        model = backbones.build("efficientnet-lite0", n_classes=3, input_px=32, weights="random")
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        pool = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8)
        batches = Batches(np.arange(12) % 3, np.array([], np.int64), 0.0, batch_size=6, seed=0)
        settings = FitSettings("transfer", 3, 1e-2)
        accelerator = start_accelerator("cpu")
        shown = examples(pool, batches)
        fit(model, shown, settings, accelerator=accelerator, checkpoint=tmp_path / "c/c")
        head = weights.head_names(model)
        changed = {
            name
            for name, tensor in model.state_dict().items()
            if not torch.equal(tensor, before[name])
        }
        assert changed == head


class TestWeights:
    def test_all_tensors_of_the_package_land(self) -> None:
        source = weight_sources.resolve_weights("efficientnet-lite0", "tf_efficientnet_lite0", None)
        assert source.path is not None
        theirs = list(weights.read_tensors(source.path).values())
        reference = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
        matched = weights.match_by_order(
            dict(weights.read_tensors(source.path)), reference.state_dict(), "package"
        )
        reference.load_state_dict(matched, strict=True)
        ours = list(reference.state_dict().values())
        assert len(theirs) == 296
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
        model = backbones.build("efficientnet-lite0", n_classes=5)
        head = weights.head_names(model)
        base = {name: t for name, t in model.state_dict().items() if name not in head}
        assert len(base) == 294
        assert all(torch.equal(tensor, matched[name]) for name, tensor in base.items())
        assert torch.equal(model.conv_stem.weight, theirs[0])
        assert torch.isfinite(model.eval()(torch.rand(1, 3, 160, 160))).all()

    def test_another_order_is_refused(self) -> None:
        one = torch.ones(1)
        with pytest.raises(InputError, match=r"a\.weight"):
            weights.match_by_order(
                {"x.bias": one, "x.weight": one}, {"a.weight": one, "a.bias": one}, "file"
            )

    @pytest.mark.parametrize("suffix", ["safetensors", "pth"])
    def test_a_local_file_gives_the_base(self, tmp_path: Path, suffix: str) -> None:
        trained = CustomCNN(n_classes=9, input_px=32)
        path = tmp_path / f"weights.{suffix}"
        (save_file if suffix == "safetensors" else torch.save)(trained.state_dict(), path)
        model = backbones.build("custom-cnn", n_classes=2, input_px=32, weights=str(path))
        assert torch.equal(model.features[0].weight, trained.features[0].weight)
        assert model.classifier.weight.shape == (2, 128)

    def test_wrong_tensors_are_named(self, tmp_path: Path) -> None:
        state = dict(CustomCNN(input_px=32).state_dict())
        del state["features.0.bias"]
        state["features.3.weight"] = torch.zeros(1)
        state["stranger"] = torch.zeros(1)
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(InputError) as error:
            backbones.build(
                "custom-cnn", n_classes=2, input_px=32, weights=str(tmp_path / "w.safetensors")
            )
        for name in ("no features.0.bias", "features.3.weight of shape", "unknown stranger"):
            assert name in str(error.value)

    @pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
    def test_files_of_no_tensors_are_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(InputError, match="a file of tensors"):
            weights.read_tensors(tmp_path / name)

    def test_nothing_is_unpickled(self, tmp_path: Path) -> None:
        torch.save({"weight": Path("x")}, tmp_path / "w.pth")
        with pytest.raises(InputError, match="a file of tensors"):
            weights.read_tensors(tmp_path / "w.pth")
