"""Training on tiny images: same bits again, no leak, equal exposure, weights where they belong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from naturalize.artefact import Artefact, Draft, Request, build
from naturalize.compose.batches import Batches
from naturalize.datasets.manifest import read_table, samples_table, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError, LeakError, NaturalizeError
from naturalize.images import encode_jpeg
from naturalize.predictions import Predictions
from naturalize.train.augment import draw_orientations, orient
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.pixels import fit_square, load_pixels, normalise
from naturalize.train.predict import predict
from naturalize.train.run import train_run
from naturalize.train.schedule import one_cycle
from naturalize.train.trained_model import load_model
from naturalize.train.training import Training

T = TypeVar("T")
PX = 32
COLOURS = {"BA": (90, 60, 160), "EO": (220, 120, 90), "LY": (120, 150, 220)}
COUNTS = {"train": 8, "val": 2, "test": 3}
TINY = Training(model="custom-cnn", input_px=PX, crop_px=None, batch_size=8)
HALF = (0.5, 0.5, 0.5)
train_on_cpu = partial(train_run, device="cpu")


def jpeg(label: str, rng: np.random.Generator) -> bytes:
    """A noisy image in the colour of its class."""
    return encode_jpeg(rng.normal(COLOURS[label], 20, (PX, PX, 3)).clip(0, 255).astype(np.uint8))


def make_split(folder: Path, counts: dict[str, int] = COUNTS) -> Artefact:
    rng = np.random.default_rng(1)
    samples, sides = [], {}
    for label in COLOURS:
        for side, count in counts.items():
            for number in range(count):
                name = f"data/{label}_{side}_{number}.jpg"
                data = jpeg(label, rng)
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
                digest = hashlib.sha256(data).hexdigest()
                fields = {"id": name, "label": label, "group": name, "source": "main"}
                samples.append(Sample(**fields, height_px=PX, width_px=PX, sha256=digest))
                sides[name] = side

    def write(draft: Draft) -> None:
        draft.write("split.csv", samples_table(samples, extra=sides))
        draft.summary.update(classes=list(COLOURS), root="..")

    return build(folder / "split", Request("split"), write)


def make_composites(folder: Path, labels: Iterable[str], donor_side: str = "train") -> Artefact:
    rng = np.random.default_rng(2)
    split = read_table(folder / "split" / "split.csv")
    donors = [[row["id"], row["sha256"]] for row in split if row["side"] == donor_side]

    def write(draft: Draft) -> None:
        rows = [[f"images/{i}.jpg", label] for i, label in enumerate(labels)]
        for file, label in rows:
            draft.write(file, jpeg(label, rng))
        draft.write("composites.csv", write_table(["file", "label"], rows))
        draft.write("donors.csv", write_table(["sample_id", "sha256"], donors))

    return build(folder / f"composites-{donor_side}", Request("composites"), write)


@pytest.fixture
def split(tmp_path: Path) -> Artefact:
    return make_split(tmp_path)


class Killed(Exception):
    """Stands for a kill: no error of this package, so the draft stays."""


class KillAfter:
    """A progress tracker that dies once ``steps`` training steps are done."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        for number, item in enumerate(items):
            if what == "training" and number == self.steps:
                raise Killed
            yield item


class TestRun:
    def test_learns_and_predicts_each_side_in_split_order(self, split: Artefact) -> None:
        run = train_on_cpu(split, split.path.parent / "run", replace(TINY, budget_images=320))
        rows = read_table(split.path / "split.csv")
        for side in ("val", "test"):
            found = Predictions.load(run.path / f"{side}.npz")
            truth = {row["id"]: row["label"] for row in rows if row["side"] == side}
            assert found.sample_ids == tuple(truth)
            assert found.labels() == tuple(truth.values())
            assert found.split_id == split.id

    def test_reloaded_model_predicts_the_same(self, split: Artefact) -> None:
        run = train_on_cpu(split, split.path.parent / "run", replace(TINY, budget_images=16))
        model, info = load_model(run)
        test = [row["id"] for row in read_table(split.path / "split.csv") if row["side"] == "test"]
        readers = [lambda name=name: _decode(split.path.parent / name) for name in test]
        pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
        again = predict(model, pixels, mean=info.mean, std=info.std)
        stored = Predictions.load(run.path / "test.npz").probabilities
        assert np.allclose(again, stored, atol=1e-6)

    @pytest.mark.parametrize("mode", ["finetune", "transfer"])
    def test_views_are_averaged_in_the_final_answers_alone(
        self, split: Artefact, mode: str
    ) -> None:
        asked = replace(TINY, mode=mode, budget_images=32)
        one, four, eight = (
            train_on_cpu(split, split.path.parent / f"run{views}", replace(asked, views=views))
            for views in (1, 4, 8)
        )
        assert one.manifest["files"]["metrics.csv"] == eight.manifest["files"]["metrics.csv"]
        model, info = load_model(eight)
        test = [row["id"] for row in read_table(split.path / "split.csv") if row["side"] == "test"]
        readers = [lambda name=name: _decode(split.path.parent / name) for name in test]
        pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
        turns = [pixels.rot90(turn, (2, 3)) for turn in range(4)]
        ways = {1: [pixels], 4: [pixels, pixels.flip(2), pixels.flip(3), pixels.flip(2, 3)]}
        ways[8] = turns + [turned.flip(3) for turned in turns]
        for run, views in ((one, 1), (four, 4), (eight, 8)):
            answers = [predict(model, way, mean=info.mean, std=info.std) for way in ways[views]]
            stored = Predictions.load(run.path / "test.npz").probabilities
            assert np.allclose(np.mean(answers, axis=0), stored, atol=1e-6)

    def test_a_number_of_views_that_there_is_not(self, split: Artefact) -> None:
        with pytest.raises(InputError, match="1, 4 or 8"):
            train_on_cpu(split, split.path.parent / "run", replace(TINY, views=3))

    def test_same_request_same_id_other_seed_other_id(self, split: Artefact) -> None:
        asked = replace(TINY, budget_images=24)
        ids = [
            train_on_cpu(split, split.path.parent / f"run{i}", replace(asked, seed=s)).id
            for i, s in enumerate([0, 0, 1])
        ]
        assert ids[0] == ids[1] != ids[2]

    def test_metrics_hold_one_row_a_step_and_no_time(self, split: Artefact) -> None:
        run = train_on_cpu(split, split.path.parent / "run", replace(TINY, budget_images=20))
        rows = read_table(run.path / "metrics.csv")
        assert list(rows[0])[:4] == ["step", "images", "loss", "learning_rate"]
        assert [row["val_macro_f1"] != "" for row in rows] == [True] * 3
        assert [int(row["images"]) for row in rows] == [8, 16, 24]
        assert run.summary["images_seen"] == 24
        assert run.summary["images_per_second"] > 0

    def test_an_empty_side_gives_empty_predictions(self, tmp_path: Path) -> None:
        split = make_split(tmp_path, {"train": 4, "test": 1})
        run = train_on_cpu(split, tmp_path / "run", replace(TINY, budget_images=8))
        assert Predictions.load(run.path / "val.npz").probabilities.shape == (0, 3)

    def test_a_damaged_test_image_stops_before_training(self, split: Artefact) -> None:
        (split.path.parent / "data/LY_test_0.jpg").write_bytes(b"no image")
        with pytest.raises(ImageError, match="LY_test_0"):
            train_on_cpu(split, split.path.parent / "run", TINY, track=KillAfter(0))

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"model": "resnet"}, "custom-cnn, efficientnet-lite0"),
            ({"arm": "flip"}, "none, flips, crops"),
            ({"mode": "lora"}, "finetune or transfer"),
            ({"arm": "naturalize"}, "composites"),
            ({"budget_images": 0}, "budget_images"),
            ({"batch_size": 1}, "batch_size"),
            ({"learning_rate": -1.0}, "learning_rate"),
            ({"input_px": 8}, "input_px"),
            ({"weights": "package"}, "random or a file"),
            ({"weights": "missing.safetensors"}, "an existing file"),
        ],
    )
    def test_mistakes_name_the_argument(
        self, split: Artefact, wrong: dict[str, object], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            train_on_cpu(split, split.path.parent / "run", replace(TINY, **wrong))
        assert not (split.path.parent / ".run.partial/request.json").exists()

    def test_a_device_that_there_is_not(self, split: Artefact) -> None:
        with pytest.raises(InputError, match="cpu or cuda"):
            train_run(split, split.path.parent / "run", TINY, device="abacus")
        assert not (split.path.parent / ".run.partial/request.json").exists()

    def test_a_class_without_train_images_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="none of"):
            train_on_cpu(make_split(tmp_path, {"test": 2}), tmp_path / "run", TINY)

    def test_divergence_says_what_to_change(self, split: Artefact) -> None:
        asked = replace(TINY, learning_rate=1e25, budget_images=40)
        with pytest.raises(NaturalizeError, match="lower learning_rate"):
            train_on_cpu(split, split.path.parent / "run", asked)


class TestMemory:
    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
            MemoryError("Unable to allocate 3. GiB"),
        ],
    )
    def test_a_shortage_says_what_to_change_and_leaves_nothing(
        self, split: Artefact, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        def forward(self: CustomCNN, images: torch.Tensor) -> torch.Tensor:
            raise error

        monkeypatch.setattr(CustomCNN, "forward", forward)
        with pytest.raises(NaturalizeError, match=r"batch_size \(now 8\) or input_px \(now 32\)"):
            train_on_cpu(split, split.path.parent / "run", TINY)
        assert not list(split.path.parent.glob("*run*"))

    def test_other_errors_stay_what_they_are(
        self, split: Artefact, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def forward(self: CustomCNN, images: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        monkeypatch.setattr(CustomCNN, "forward", forward)
        with pytest.raises(RuntimeError, match="mat1"):
            train_on_cpu(split, split.path.parent / "run", TINY)


class TestResume:
    @pytest.mark.parametrize("model", ["custom-cnn", "efficientnet-lite0"])
    def test_killed_and_resumed_equals_uninterrupted(self, split: Artefact, model: str) -> None:
        folder = split.path.parent
        composites = make_composites(folder, [*COLOURS] * 3)
        asked = replace(TINY, model=model, weights="random", budget_images=64, arm="naturalize")
        train = partial(
            train_on_cpu, split, training=asked, composites=composites, checkpoint_every=3
        )
        whole = train(folder / "whole")
        with pytest.raises(Killed):
            train(folder / "cut", track=KillAfter(5))
        steps: list[int] = []
        with pytest.raises(Killed):
            train(folder / "cut", track=KillAfter(2), if_exists="resume")
        resumed = train(folder / "cut", track=_count_into(steps), if_exists="resume")
        assert steps == [5]
        assert resumed.id == whole.id
        before, after = (load_file(run.path / "model.safetensors") for run in (whole, resumed))
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert sorted(p.name for p in resumed.path.iterdir()) == [
            "manifest.json",
            "metrics.csv",
            "model.json",
            "model.safetensors",
            "test.npz",
            "val.npz",
        ]

    def test_global_random_state_is_left_alone(self, split: Artefact) -> None:
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        train_on_cpu(split, split.path.parent / "run", replace(TINY, budget_images=8))
        assert torch.equal(torch.rand(1), expected)


class TestComposites:
    def test_a_test_donor_leaks(self, split: Artefact) -> None:
        composites = make_composites(split.path.parent, ["BA"], donor_side="test")
        asked = replace(TINY, arm="naturalize")
        with pytest.raises(LeakError, match="donor"):
            train_on_cpu(split, split.path.parent / "run", asked, composites=composites)
        assert not (split.path.parent / "run").exists()

    def test_an_arm_without_synthetic_share_takes_none(self, split: Artefact) -> None:
        composites = make_composites(split.path.parent, ["BA"])
        with pytest.raises(InputError, match="uses none"):
            train_on_cpu(split, split.path.parent / "run", TINY, composites=composites)

    def test_a_class_without_composites_is_said(self, split: Artefact) -> None:
        composites = make_composites(split.path.parent, ["BA", "EO"])
        asked = replace(TINY, arm="naturalize", budget_images=80)
        run = train_on_cpu(split, split.path.parent / "run", asked, composites=composites)
        summary = run.summary
        assert summary["synthetic_seen"]["LY"] == 0
        assert list(summary["real_for_want_of_composites"]) == ["LY"]

    def test_every_arm_shows_every_class_equally_often(self, split: Artefact) -> None:
        composites = make_composites(split.path.parent, [*COLOURS, "BA", "BA"])
        seen = []
        for arm in ("none", "flips", "naturalize"):
            given = composites if arm == "naturalize" else None
            asked = replace(TINY, arm=arm, budget_images=40)
            run = train_on_cpu(split, split.path.parent / arm, asked, composites=given)
            summary = run.summary
            real, synthetic = summary["real_seen"], summary["synthetic_seen"]
            seen.append({label: real[label] + synthetic[label] for label in COLOURS})
        assert seen[0] == seen[1] == seen[2]
        assert sum(synthetic.values()) > 0


class TestBatches:
    real = np.repeat([0, 1, 2], [20, 5, 2])
    composites = np.array([1, 0, 1, 1, 0])

    def batches(self, share: float, seed: int = 0) -> Batches:
        return Batches(self.real, self.composites, share, batch_size=9, seed=seed)

    def test_each_epoch_shows_each_real_image_once(self) -> None:
        plain = self.batches(0.0)
        epoch = np.concatenate([plain.at(step).images for step in range(3)])
        assert sorted(epoch) == list(range(27))

    def test_labels_and_kept_images_do_not_depend_on_the_share(self) -> None:
        plain, mixed = self.batches(0.0), self.batches(0.5)
        labels = np.concatenate([self.real, self.composites])
        for step in range(20):
            a, b = plain.at(step), mixed.at(step)
            assert (a.labels == b.labels).all()
            assert (labels[b.images] == b.labels).all()
            kept = b.images < len(self.real)
            assert (a.images[kept] == b.images[kept]).all()

    def test_share_is_met_where_there_are_composites(self) -> None:
        shown = self.batches(0.5).exposure(600, 3)
        both = shown.real + shown.synthetic
        assert shown.synthetic[:2] / both[:2] == pytest.approx(0.5, abs=0.04)
        assert shown.synthetic[2] == 0
        assert shown.fallback[2] / both[2] == pytest.approx(0.5, abs=0.06)
        assert (shown.fallback[:2] == 0).all()

    def test_all_composites_of_a_class_are_used(self) -> None:
        images = np.concatenate([self.batches(1.0).at(step).images for step in range(30)])
        assert set(images[images >= 27] - 27) == set(range(5))

    def test_the_seed_decides(self) -> None:
        assert (self.batches(0.5).at(7).images == self.batches(0.5).at(7).images).all()
        assert (self.batches(0.5).at(7).images != self.batches(0.5, seed=1).at(7).images).any()


class TestAugment:
    def test_orientations_are_the_dihedral_group(self) -> None:
        image = np.arange(2 * 5 * 5, dtype=np.uint8).reshape(2, 5, 5)
        found = orient(torch.from_numpy(image).repeat(8, 1, 1, 1), torch.arange(8)).numpy()
        turned = [np.rot90(image, k, axes=(1, 2)) for k in range(4)]
        expected = {a.tobytes() for t in turned for a in (t, np.flip(t, axis=2))}
        assert len(expected) == 8
        assert {one.tobytes() for one in found} == expected

    def test_images_are_laid_one_by_one(self) -> None:
        images = torch.rand(16, 3, 4, 4)
        drawn = draw_orientations(16, generator=torch.Generator().manual_seed(0))
        alone = torch.cat([orient(images[i : i + 1], drawn[i : i + 1]) for i in range(16)])
        assert torch.equal(orient(images, drawn), alone)
        assert len(drawn.unique()) > 3


class TestPixels:
    def test_crop_is_centred(self) -> None:
        image = np.zeros((10, 13, 3), np.uint8)
        image[3:7, 4:8] = 255
        assert (fit_square(image, input_px=4, crop_px=4) == 255).all()

    def test_shrinking_averages(self) -> None:
        image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
        means = image.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
        assert np.abs(fit_square(image, input_px=4, crop_px=None) - means).max() <= 0.5

    def test_small_images_are_enlarged_whole(self) -> None:
        image = np.full((20, 30, 3), 77, np.uint8)
        assert (fit_square(image, input_px=64, crop_px=256) == 77).all()

    def test_normalise_per_channel(self) -> None:
        pixels = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
        mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
        expected = (pixels.numpy() / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
        assert np.allclose(normalise(pixels, mean, std).numpy(), expected, atol=1e-5)


class TestSchedule:
    def test_learning_rate_rises_then_falls(self) -> None:
        rates = np.array([one_cycle(step, 100, peak=0.3) for step in range(100)])
        top = int(rates.argmax())
        assert rates.max() == pytest.approx(0.3)
        assert (np.diff(rates[: top + 1]) > 0).all()
        assert (np.diff(rates[top:]) < 0).all()
        assert 0 < rates[-1] < 0.001


def _decode(path: Path) -> np.ndarray:
    from naturalize.images import read

    return read(path)


def _count_into(steps: list[int]):  # type: ignore[no-untyped-def]
    def track(items: Iterable[int], total: int, what: str) -> Iterator[int]:
        if what == "training":
            steps.append(total)
        yield from items

    return track
