"""Which weights count, how layers learn, and heads over features computed once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from naturalize.artefact import Artefact
from naturalize.compose.batches import Batches
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.scores import scores
from naturalize.train import backbones, ema
from naturalize.train.arms import find_arm
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.examples import FeatureExamples, ImageExamples
from naturalize.train.features import FrozenBase
from naturalize.train.feed import PoolFeed
from naturalize.train.fit import FitSettings, Fitted, fit
from naturalize.train.parameter_groups import parameter_groups
from naturalize.train.prepare import Preparation
from naturalize.train.processes import start_accelerator
from naturalize.train.targets import smoothed_targets
from naturalize.train.validation import Validated, Validation, macro_f1
from test_train import TINY, KillAfter, Killed, make_composites, make_split, train_on_cpu

HALF = (0.5, 0.5, 0.5)
SETTINGS = FitSettings("finetune", 8, 1e-2, weight_decay=0.0)
LINE = FeatureExamples(
    torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),
    torch.arange(48).view(8, 6) % 6,
    torch.eye(2)[torch.tensor([0, 1, 0, 1, 0, 1])],
)


@pytest.fixture
def split(tmp_path: Path) -> Artefact:
    return make_split(tmp_path)


def head() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 2)


def fitted(model: nn.Module, folder: Path, settings: FitSettings, **more: object) -> Fitted:
    accelerator = start_accelerator("cpu")
    return fit(  # type: ignore[call-overload, no-any-return, unused-ignore]
        model, LINE, settings, accelerator=accelerator, checkpoint=folder / "c/c", **more
    )


class Scripted:
    """A validation whose scores were decided beforehand; it keeps the weights it was shown."""

    def __init__(self, *macro_f1: float) -> None:
        self.macro_f1, self.shown = macro_f1, list[torch.Tensor]()

    def __call__(self, model: nn.Module, step: int) -> Validated:
        self.shown.append(model.weight.detach().clone())
        return Validated(step, 0.0, 0.0, self.macro_f1[len(self.shown) - 1])


class TestWhichWeightsCount:
    def test_the_last(self, tmp_path: Path) -> None:
        model, seen = head(), Scripted(0.9, 0.1)
        found = fitted(model, tmp_path, replace(SETTINGS, validations=2), validation=seen)
        assert torch.equal(model.weight, seen.shown[1])
        assert [one.step for one in found.validated] == [4, 8]
        assert found.counted == 8

    def test_the_best_the_first_of_equals(self, tmp_path: Path) -> None:
        model, seen = head(), Scripted(0.2, 0.9, 0.9, 0.1)
        settings = replace(SETTINGS, validations=4, keep="best")
        found = fitted(model, tmp_path, settings, validation=seen)
        assert torch.equal(model.weight, seen.shown[1])
        assert found.counted == 4

    def test_the_running_mean(self, tmp_path: Path) -> None:
        plain, mean = head(), head().weight.detach()
        weights = Scripted(*[0.0] * 8)
        fitted(plain, tmp_path / "a", replace(SETTINGS, validations=8), validation=weights)
        for step, now in enumerate(weights.shown):
            decay = min(0.5, (1 + step) / (10 + step))
            mean = decay * mean + (1 - decay) * now
        averaged, seen = head(), Scripted(*[0.0] * 8)
        settings = replace(SETTINGS, validations=8, ema=0.5)
        fitted(averaged, tmp_path / "b", settings, validation=seen)
        assert torch.allclose(averaged.weight, mean, atol=1e-6)
        assert torch.equal(averaged.weight, seen.shown[-1])

    def test_weights_are_lent_and_given_back(self) -> None:
        model = CustomCNN(n_classes=2, input_px=16)
        before = ema.copied(model)
        others = {name: torch.zeros_like(tensor) for name, tensor in before.items()}
        with ema.lent(model, others):
            assert all((tensor == 0).all() for tensor in model.state_dict().values())
        assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())

    def test_validating_changes_nothing(self, split: Artefact) -> None:
        folder, asked = split.path.parent, replace(TINY, budget_images=40)
        runs = [
            train_on_cpu(split, folder / f"run{n}", replace(asked, validations=n)) for n in (0, 3)
        ]
        a, b = (load_file(run.path / "model.safetensors") for run in runs)
        assert all(torch.equal(a[name], b[name]) for name in a)
        scored = [
            [row["step"] for row in read_table(run.path / "metrics.csv") if row["val_loss"]]
            for run in runs
        ]
        assert scored == [[], ["1", "3", "4"]]

    def test_killed_and_resumed_with_mean_and_best(self, split: Artefact) -> None:
        asked = replace(TINY, budget_images=64, ema=0.9, keep="best")
        train = partial(train_on_cpu, split, training=asked, checkpoint_every=2)
        folder = split.path.parent
        whole = train(folder / "whole")
        with pytest.raises(Killed):
            train(folder / "cut", track=KillAfter(5))
        assert train(folder / "cut", if_exists="resume").id == whole.id

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"layer_decay": 0.0}, "layer_decay"),
            ({"layer_decay": 0.5, "mode": "transfer"}, "head alone"),
            ({"frozen": -1}, "frozen"),
            ({"frozen": 6}, "0 to 5 stages"),
            ({"frozen": 1, "mode": "transfer"}, "head alone"),
            ({"ema": 1.0}, "ema"),
            ({"keep": "worst"}, "last or best"),
            ({"keep": "best", "validations": 0}, "no validations"),
            ({"validations": -1}, "validations"),
        ],
    )
    def test_mistakes_name_the_argument(
        self, split: Artefact, wrong: dict[str, object], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            train_on_cpu(split, split.path.parent / "run", replace(TINY, **wrong))


class TestValidation:
    def test_scores_are_those_of_the_evaluation(self) -> None:
        rng = np.random.default_rng(0)
        truth, answers = rng.integers(0, 4, (2, 60))
        names = ["a", "b", "c", "d", "never"]
        matrix = confusion_matrix([names[i] for i in truth], [names[i] for i in answers], names)
        assert macro_f1(truth, answers, 5) == pytest.approx(scores(matrix, names).macro_f1)
        certain = np.eye(5, dtype=np.float32)[answers] * 0.9 + 0.02
        found = Validation(lambda model: certain, truth, 5)(nn.Identity(), 3)
        assert found.accuracy == pytest.approx((truth == answers).mean())
        assert found.loss == pytest.approx(
            -np.log(np.where(truth == answers, 0.92, 0.02)).mean(), rel=1e-5
        )


class TestLayers:
    @pytest.mark.parametrize(
        "name", ["custom-cnn", "efficientnet-lite0", "vit-b16", "densenet-121"]
    )
    def test_lower_layers_learn_more_slowly(self, name: str) -> None:
        model = backbones.build(name, n_classes=3, input_px=32, weights="random")
        groups = parameter_groups(model, weight_decay=0.1, layer_decay=0.5)
        rate = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
        scales = [rate[id(p)] for p in model.parameters()]
        assert scales[0] < 0.1
        assert scales[-1] == 1
        assert len(set(scales)) > 3

    @pytest.mark.parametrize(
        ("name", "lowest"),
        [
            ("custom-cnn", ("features.0.", "features.3.")),
            ("efficientnet-lite0", ("conv_stem.", "bn1.", "blocks.0.")),
            ("vit-b16", ("cls_token", "pos_embed", "patch_embed.", "blocks.0.")),
        ],
    )
    def test_two_frozen_stages_stay_and_all_others_learn(
        self, name: str, lowest: tuple[str, ...], tmp_path: Path
    ) -> None:
        model = backbones.build(name, n_classes=3, input_px=32, weights="random")
        before = ema.copied(model)
        pool = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
        batches = Batches(np.arange(6) % 3, np.array([], np.int64), 0.0, batch_size=3, seed=0)
        preparation = Preparation(
            find_arm("none"), 32, HALF, HALF, smoothed_targets(3, 0.1), 3, steps=3, seed=0
        )
        fit(
            model,
            ImageExamples(PoolFeed(pool, batches), preparation),
            FitSettings("finetune", 3, 1e-3, frozen=2),
            accelerator=start_accelerator("cpu"),
            checkpoint=tmp_path / "checkpoint",
        )
        after = model.state_dict()
        same = {name for name in before if torch.equal(before[name], after[name])}
        assert same == {name for name in before if name.startswith(lowest)}

    def test_every_parameter_is_in_one_group_and_vectors_do_not_decay(self) -> None:
        model = CustomCNN(n_classes=3, input_px=32)
        for decay in (1.0, 0.7):
            groups = parameter_groups(model, weight_decay=0.1, layer_decay=decay)
            found = [p for group in groups for p in group["params"]]
            assert sorted(map(id, found)) == sorted(map(id, model.parameters()))
            assert all((p.ndim > 1) == (g["weight_decay"] > 0) for g in groups for p in g["params"])


class TestFrozenFeatures:
    def test_a_head_learns_as_over_the_frozen_base_itself(self, tmp_path: Path) -> None:
        slow, fast = (
            backbones.build("efficientnet-lite0", n_classes=3, input_px=32, weights="random")
            for _ in range(2)
        )
        pool = torch.randint(0, 256, (12, 3, 32, 32), dtype=torch.uint8)
        batches = Batches(np.arange(12) % 3, np.array([], np.int64), 0.0, batch_size=6, seed=0)
        preparation = Preparation(
            find_arm("none"), 32, HALF, HALF, smoothed_targets(3, 0.1), 6, steps=4, seed=0
        )
        settings, accelerator = FitSettings("transfer", 4, 1e-2), start_accelerator("cpu")
        shown = ImageExamples(PoolFeed(pool, batches), preparation)
        fit(slow, shown, settings, accelerator=accelerator, checkpoint=tmp_path / "a/c")
        seen = FrozenBase(fast, HALF, HALF, tmp_path / "kept").features(pool.__getitem__, 12)
        rows = torch.stack([torch.from_numpy(batches.at(step).images) for step in range(4)])
        known = FeatureExamples(seen, rows, smoothed_targets(3, 0.1)[torch.arange(12) % 3])
        settings = replace(settings, mode="finetune")
        head = fast.get_classifier()
        fit(head, known, settings, accelerator=accelerator, checkpoint=tmp_path / "b/c")
        assert torch.allclose(slow.get_classifier().weight, head.weight, atol=1e-5)

    def test_the_next_head_asks_the_base_nothing(
        self, split: Artefact, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, asked = split.path.parent, []
        forward = CustomCNN.forward
        monkeypatch.setattr(
            CustomCNN, "forward", lambda self, images: asked.append(1) or forward(self, images)
        )
        kept, weights = folder / "features", folder / "base.safetensors"
        given = replace(TINY, mode="transfer", weights=str(weights), budget_images=400)
        save_file(CustomCNN(n_classes=2, input_px=32).state_dict(), weights)
        first = train_on_cpu(split, folder / "a", given, features=kept)
        assert asked
        asked.clear()
        again = train_on_cpu(split, folder / "b", replace(given, learning_rate=0.1), features=kept)
        assert not asked
        assert again.id != first.id
        alone = train_on_cpu(split, folder / "c", given)
        assert alone.id == first.id

    def test_killed_and_resumed_equals_uninterrupted(self, split: Artefact) -> None:
        folder = split.path.parent
        composites = make_composites(folder, ["BA", "EO", "LY"])
        asked = replace(TINY, mode="transfer", budget_images=64, arm="naturalize")
        train = partial(
            train_on_cpu, split, training=asked, composites=composites, checkpoint_every=2
        )
        whole = train(folder / "whole")
        with pytest.raises(Killed):
            train(folder / "cut", track=KillAfter(5))
        assert train(folder / "cut", if_exists="resume").id == whole.id

    def test_features_follow_the_pixels_and_the_base(self, tmp_path: Path) -> None:
        pool = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8)
        model = CustomCNN(n_classes=2, input_px=32)
        base = FrozenBase(model, HALF, HALF, tmp_path)
        found = base.features(pool.__getitem__, 70)
        turned = base.features(lambda part: pool.flip(0)[part], 70)
        assert torch.equal(found, turned.flip(0))
        with torch.no_grad():
            model.features[0].weight += 1
        assert not torch.allclose(base.features(pool.__getitem__, 70), found)
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_damaged_file_of_features_is_named(self, tmp_path: Path) -> None:
        base = FrozenBase(CustomCNN(n_classes=2, input_px=32), HALF, HALF, tmp_path)
        (tmp_path / base.digest()).mkdir()
        (tmp_path / base.digest() / "x.safetensors").write_bytes(b"no tensors")
        with pytest.raises(InputError, match=r"x\.safetensors"):
            base.features(torch.zeros(1, 3, 32, 32, dtype=torch.uint8).__getitem__, 1)
