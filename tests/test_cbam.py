"""A head over two networks: attention against plain NumPy, training, and what cannot be joined."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from naturalize.artefact import Artefact
from naturalize.errors import InputError
from naturalize.predictions import Predictions
from naturalize.train import backbones
from naturalize.train.cbam import (
    Cbam,
    ChannelAttention,
    ConvSpatialAttention,
    PaperSpatialAttention,
    last_maps,
)
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.pixels import normalise
from naturalize.train.trained_model import CbamInfo, join, load_info, load_model
from test_train import TINY, KillAfter, Killed, make_split, train_on_cpu

Array = NDArray[np.float64]
HALF = (0.5, 0.5, 0.5)
NORM = (HALF, HALF)
SHORT = replace(TINY, model="cbam", budget_images=8)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def mlp(layers: nn.Sequential, x: Array) -> Array:
    """Two dense layers with a ReLU between, on the last axis."""
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in layers.parameters())
    return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2


@pytest.fixture
def maps() -> torch.Tensor:
    return torch.randn(2, 32, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return make_split(tmp_path_factory.mktemp("cbam"))


@pytest.fixture(scope="module")
def pair(split: Artefact) -> tuple[Artefact, Artefact]:
    folder, asked = split.path.parent, replace(TINY, budget_images=160, validations=0)
    lite = replace(asked, model="efficientnet-lite0", weights="random", budget_images=8)
    return train_on_cpu(split, folder / "a", asked), train_on_cpu(split, folder / "b", lite)


class TestAttention:
    def test_channel_is_equation_1(self, maps: torch.Tensor) -> None:
        layer, x = ChannelAttention(32), maps.double().numpy()
        weight = sigmoid(mlp(layer.mlp, x.mean(axis=(2, 3))) + mlp(layer.mlp, x.max(axis=(2, 3))))
        expected = x * weight[:, :, np.newaxis, np.newaxis]
        assert np.allclose(layer(maps).detach().numpy(), expected, atol=1e-5)

    def test_spatial_as_the_paper_prints_it_is_equation_2(self, maps: torch.Tensor) -> None:
        layer, x = PaperSpatialAttention(32), maps.double().numpy()
        expected = np.empty_like(x)
        for n, i, j in np.ndindex(2, 5, 4):
            told = np.concatenate([x[n, :, i, j], x[n].mean(axis=(1, 2)), x[n].max(axis=(1, 2))])
            expected[n, :, i, j] = x[n, :, i, j] * sigmoid(mlp(layer.mlp, told))
        assert np.allclose(layer(maps).detach().numpy(), expected, atol=1e-5)

    def test_spatial_as_cbam_has_it_is_a_7_by_7_convolution(self, maps: torch.Tensor) -> None:
        layer, x = ConvSpatialAttention(32), maps.double().numpy()
        kernel = layer.conv.weight.detach().double().numpy()[0]
        both = np.stack([x.mean(axis=1), x.max(axis=1)], axis=1)
        padded = np.pad(both, ((0, 0), (0, 0), (3, 3), (3, 3)))
        expected = np.empty_like(x)
        for n, i, j in np.ndindex(2, 5, 4):
            told = (padded[n, :, i : i + 7, j : j + 7] * kernel).sum() + layer.conv.bias.item()
            expected[n, :, i, j] = x[n, :, i, j] * sigmoid(np.array(told))
        assert np.allclose(layer(maps).detach().numpy(), expected, atol=1e-5)


class TestMerging:
    @staticmethod
    def branches(*names: str, px: int = 32) -> list[nn.Module]:
        return [
            backbones.build(name, n_classes=2, input_px=px, weights="random").eval()
            for name in names
        ]

    def test_concat_puts_one_behind_the_other_on_the_grid_of_the_first(self) -> None:
        lite, cnn = self.branches("efficientnet-lite0", "custom-cnn", px=64)
        model = Cbam([lite, cnn], [NORM, NORM], n_classes=3).eval()
        images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            merged = model.merged(images)
            first, second = last_maps(lite, images), last_maps(cnn, images)
        assert first.shape == (2, 1280, 2, 2)
        assert second.shape == (2, 128, 4, 4)
        halved = second.numpy().reshape(2, 128, 2, 2, 2, 2).mean(axis=(3, 5))
        assert np.allclose(merged[:, :1280].numpy(), first.numpy(), atol=1e-5)
        assert np.allclose(merged[:, 1280:].numpy(), halved, atol=1e-5)

    def test_average_of_equal_widths_is_the_mean(self) -> None:
        pair = self.branches("custom-cnn", "custom-cnn")
        with torch.no_grad():
            pair[1].features[0].weight += 0.1  # type: ignore[index, operator, union-attr]
        model = Cbam(pair, [NORM, NORM], n_classes=3, merge="average").eval()
        images = torch.randn(2, 3, 32, 32)
        with torch.no_grad():
            expected = (last_maps(pair[0], images) + last_maps(pair[1], images)) / 2
            assert torch.allclose(model.merged(images), expected, atol=1e-6)

    @pytest.mark.parametrize("spatial", ["cbam", "paper"])
    def test_unlike_widths_are_projected_to_average(self, spatial: str) -> None:
        pair = self.branches("efficientnet-lite0", "custom-cnn")
        model = Cbam(pair, [NORM, NORM], n_classes=3, merge="average", spatial=spatial)  # type: ignore[arg-type]
        assert model.eval().merged(torch.zeros(1, 3, 32, 32)).shape[1] == 128
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)

    def test_each_branch_sees_images_normalised_as_it_wants(self) -> None:
        seen: list[torch.Tensor] = []

        class Spy(CustomCNN):
            def forward_features(self, images: torch.Tensor) -> torch.Tensor:
                seen.append(images)
                return super().forward_features(images)

        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        model = Cbam([Spy(input_px=32), Spy(input_px=32)], [NORM, (mean, std)], n_classes=2)
        pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
        model.eval()(normalise(pixels, *NORM))
        assert torch.allclose(seen[0], normalise(pixels, *NORM), atol=1e-5)
        assert torch.allclose(seen[1], normalise(pixels, mean, std), atol=1e-5)


class TestRuns:
    @pytest.mark.parametrize("mode", ["transfer", "finetune"])
    def test_two_runs_under_one_head(
        self, split: Artefact, pair: tuple[Artefact, Artefact], mode: str, tmp_path: Path
    ) -> None:
        asked = replace(SHORT, branches=pair, mode=mode, budget_images=80)
        train = partial(train_on_cpu, split, training=asked, checkpoint_every=4)
        run = train(tmp_path / "run")
        assert run.manifest["inputs"]["branch-0"]["id"] == pair[0].id
        assert run.manifest["parameters"]["branches"] == ["custom-cnn", "efficientnet-lite0"]
        joined, info = load_model(run)
        alone, _ = load_model(pair[0])
        before = alone.get_submodule("features.0").weight
        after = joined.get_submodule("branches.0.features.0").weight
        assert torch.equal(before, after) == (mode == "transfer")
        assert info.weights == f"runs {pair[0].id}, {pair[1].id}"
        with pytest.raises(Killed):
            train(tmp_path / "cut", track=KillAfter(6))
        assert train(tmp_path / "cut", if_exists="resume").id == run.id

    def test_it_learns(
        self, split: Artefact, pair: tuple[Artefact, Artefact], tmp_path: Path
    ) -> None:
        asked = replace(SHORT, branches=pair, mode="transfer", budget_images=320)
        run = train_on_cpu(split, tmp_path / "run", asked)
        found = Predictions.load(run.path / "test.npz")
        assert found.labels() == tuple(name.split("/")[1][:2] for name in found.sample_ids)

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"model": "custom-cnn"}, "none but for cbam"),
            ({"input_px": 64}, "64 px of the whole image, got 32 px"),
            ({"crop_px": 20}, "crop of 20 px"),
            ({"merge": "sum"}, "concat or average"),
            ({"spatial": "no"}, "cbam or paper"),
            ({"weights": "random"}, "none beside --from"),
            ({"layer_decay": 0.5}, "1 for cbam"),
            ({"frozen": 1}, "0 for cbam"),
        ],
    )
    def test_mistakes_name_the_argument(
        self,
        split: Artefact,
        pair: tuple[Artefact, Artefact],
        wrong: dict[str, object],
        message: str,
        tmp_path: Path,
    ) -> None:
        asked = replace(SHORT, branches=pair, **wrong)
        with pytest.raises(InputError, match=message):
            train_on_cpu(split, tmp_path / "run", asked)

    def test_runs_of_another_split_are_refused(
        self, split: Artefact, pair: tuple[Artefact, Artefact], tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        other = make_split(tmp_path / "other", {"train": 4, "val": 1, "test": 1})
        with pytest.raises(InputError, match=f"a run of split {other.id}"):
            train_on_cpu(other, tmp_path / "run", replace(SHORT, branches=pair))

    def test_a_cbam_does_not_stand_on_another(
        self, split: Artefact, pair: tuple[Artefact, Artefact], tmp_path: Path
    ) -> None:
        one = train_on_cpu(split, tmp_path / "one", replace(SHORT, branches=pair))
        with pytest.raises(InputError, match="runs of one network each"):
            train_on_cpu(split, tmp_path / "two", replace(SHORT, branches=(one, pair[0])))

    def test_without_runs_it_stands_on_the_papers_two(
        self, split: Artefact, tmp_path: Path
    ) -> None:
        run = train_on_cpu(split, tmp_path / "run", replace(SHORT, weights="random"))
        assert run.manifest["parameters"]["branches"] == ["efficientnetv2-b0", "densenet-169"]

    def test_networks_without_maps_cannot_be_joined(self, pair: tuple[Artefact, Artefact]) -> None:
        mixer = backbones.build("timm:mixer_s16_224", n_classes=2, input_px=32, weights="random")
        one = load_info(pair[0])
        two = CbamInfo(branches=(one, one), merge="concat", spatial="cbam")
        with pytest.raises(InputError, match="two networks with maps to merge"):
            join([mixer, mixer], one.model_copy(update={"cbam": two}), seed=0)
