"""Settings that combine into arms: each does what it says, draws from its seed, and trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from naturalize.artefact import Artefact
from naturalize.compose.batches import Batches
from naturalize.datasets.pbc import MATURATION
from naturalize.errors import InputError
from naturalize.train.arms import SETTINGS, find_arm
from naturalize.train.crop import cropped, draw_corners
from naturalize.train.mixing import mixed
from naturalize.train.prepare import Preparation
from naturalize.train.randaugment import randomly_augmented
from naturalize.train.stain_jitter import draw_stain, stained
from naturalize.train.targets import (
    class_weights,
    maturation_targets,
    smoothed_targets,
)
from test_train import TINY, make_composites, make_split, train_on_cpu

HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def split(tmp_path: Path) -> Artefact:
    return make_split(tmp_path)


def noise(count: int, side: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestNames:
    def test_settings_combine(self) -> None:
        assert find_arm("naturalize", share=0.25).synthetic_share == 0.25
        arm = find_arm("strong+balanced+mixup")
        assert arm.flips
        assert arm.crops
        assert arm.balanced
        assert arm.mix == "mixup"
        assert not arm.repeats_views
        assert find_arm("flips+class-weights").repeats_views

    @pytest.mark.parametrize(
        "name", ["mixup+cutmix", "flips+balanced+class-weights", "maturation+hard-labels"]
    )
    def test_two_that_exclude_each_other_are_named(self, name: str) -> None:
        with pytest.raises(InputError, match="one of"):
            find_arm(name)

    @pytest.mark.parametrize("name", ["", "flips+", "flip", "flips stain"])
    def test_an_unknown_setting_lists_the_known(self, name: str) -> None:
        with pytest.raises(InputError, match="none, flips, crops"):
            find_arm(name)


class TestPixels:
    def test_crops_are_parts_of_the_image(self) -> None:
        images = noise(20, 12)
        corners = draw_corners(20, 4, generator=generator())
        found = cropped(images, 8, corners)
        for image, square, (top, left) in zip(images, found, corners.tolist(), strict=True):
            assert torch.equal(square, image[:, top : top + 8, left : left + 8])
        assert corners.unique().tolist() == [0, 1, 2, 3, 4]

    def test_stain_multiplies_densities_and_light(self) -> None:
        images = noise(50, 4).clamp(min=20)
        density, light = draw_stain(50, generator=generator())
        found = stained(images, density, light).double()
        expected = 255 * light * torch.exp(density * torch.log(images.double() / 255))
        assert (found - expected.clamp(max=255)).abs().max() <= 0.51
        assert 0.82 < density.min() < 0.9
        assert 1.1 < density.max() < 1.19
        assert 0.92 <= light.min() <= light.max() <= 1.08

    def test_bare_slide_changes_by_light_alone(self) -> None:
        slide = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
        dark = stained(slide, torch.full((1, 3, 1, 1), 3.0), torch.full((1, 3, 1, 1), 0.8))
        assert (dark == 204).all()

    def test_randaugment_goes_by_each_images_seed(self) -> None:
        images = noise(6, 16)
        torch.manual_seed(4)
        before = torch.random.get_rng_state()
        found = randomly_augmented(images, range(6))
        assert torch.equal(torch.random.get_rng_state(), before)
        assert torch.equal(found[4:], randomly_augmented(images[4:], [4, 5]))
        assert sum(not torch.equal(a, b) for a, b in zip(images, found, strict=True)) > 2

    def test_light_is_what_stain_does_to_a_bare_slide(self) -> None:
        slide, labels = torch.full((4, 3, 32, 32), 255, dtype=torch.uint8), torch.arange(4)
        dark = torch.full_like(slide, 40)
        light, stain = (
            Preparation(find_arm(arm), 32, (0, 0, 0), (1, 1, 1), torch.eye(4), 4, steps=9, seed=1)
            for arm in ("light", "stain")
        )
        lit, _ = light((slide, labels), 5, slice(None))
        assert torch.equal(lit, stain((slide, labels), 5, slice(None))[0])
        shown, _ = light((dark, labels), 5, slice(None))
        unclipped = lit < 1
        assert (shown / lit - 40 / 255)[unclipped].abs().max() <= 1 / 255
        assert not torch.equal(shown, stain((dark, labels), 5, slice(None))[0])

    def test_a_growing_arm_shows_small_images_first_and_whole_ones_last(self) -> None:
        gradient = torch.linspace(0, 255, 96).view(1, 1, 1, 96).expand(2, 3, 96, 96)
        growing, plain = (
            Preparation(find_arm(arm), 96, HALF, HALF, torch.eye(2), 2, steps=30, seed=1)
            for arm in ("growing", "none")
        )
        shown = gradient.to(torch.uint8), torch.arange(2)
        images = [growing(shown, step, slice(None))[0] for step in range(30)]
        sides = [image.shape[-1] for image in images]
        assert sides == sorted(sides)
        assert sides[0] == 64
        assert sides[20:] == [96] * 10
        assert torch.equal(images[-1], plain(shown, 29, slice(None))[0])
        for image in images:
            steps = image[0, 0, 0].diff()
            assert torch.allclose(image.mean(), images[-1].mean(), atol=1e-3)
            assert torch.allclose(
                steps[2:-2], 2 / image[0, 0, 0].numel() + 0 * steps[2:-2], atol=0.02
            )

    @pytest.mark.parametrize("how", ["mixup", "cutmix"])
    def test_targets_are_blended_as_the_pixels_are(self, how: str) -> None:
        labels = torch.arange(4)
        images = labels.float().view(4, 1, 1, 1).expand(4, 3, 32, 32)
        for seed in range(20):
            rng = np.random.default_rng(seed)
            found, targets = mixed(images, torch.eye(4), how, rng=rng)  # type: ignore[arg-type]
            assert torch.allclose(targets.sum(dim=1), torch.ones(4))
            told = targets @ labels.float()
            assert torch.allclose(found.mean(dim=(1, 2, 3)), told, atol=1e-4)

    def test_each_share_of_a_batch_gets_what_the_whole_gets(self) -> None:
        arm = find_arm("strong+class-weights")
        pixels, labels = noise(8, 37), torch.arange(8) % 3
        preparation = Preparation(arm, 32, HALF, HALF, torch.eye(3), 8, steps=9, seed=1)
        images, targets = preparation((pixels, labels), 5, slice(None))
        for part in (slice(0, None, 2), slice(1, None, 2)):
            some, told = preparation((pixels[part], labels[part]), 5, part)
            assert torch.equal(some, images[part])
            assert torch.equal(told, targets[part])
        other, _ = preparation((pixels, labels), 6, slice(None))
        assert not torch.equal(other, images)


class TestTargets:
    def test_smoothing_is_torchs(self) -> None:
        logits, labels = torch.randn(9, 4, generator=generator()), torch.arange(9) % 4
        expected = cross_entropy(logits, labels, label_smoothing=0.1)
        assert torch.allclose(cross_entropy(logits, smoothed_targets(4, 0.1)[labels]), expected)

    def test_maturation_goes_to_neighbours_on_the_line(self) -> None:
        classes = ("BNE", "EO", "MMY", "MY", "PMY", "SNE")
        targets = maturation_targets(classes, 0.2)
        assert torch.allclose(targets.sum(dim=1), torch.ones(6))
        for label, row in zip(classes, targets, strict=True):
            told = {classes[i]: round(float(row[i]), 6) for i in range(6) if row[i] > 0}
            place = MATURATION.index(label) if label in MATURATION else -1
            if place >= 0:
                near = {*MATURATION[max(place - 1, 0) : place], *MATURATION[place + 1 : place + 2]}
                assert told == {label: 0.8, **dict.fromkeys(near, round(0.2 / len(near), 6))}
        assert torch.allclose(targets[1], smoothed_targets(6, 0.2)[1])

    def test_a_class_that_is_not_there_leaves_its_neighbours_apart(self) -> None:
        targets = maturation_targets(("BNE", "MY"), 0.2)
        assert torch.allclose(targets, torch.tensor([[0.8, 0.2], [0.2, 0.8]]))

    def test_classes_off_the_line_are_refused_before_anything_is_read(
        self, split: Artefact
    ) -> None:
        with pytest.raises(InputError, match="PMY, MY, MMY, BNE, SNE"):
            train_on_cpu(split, split.path.parent / "run", replace(TINY, arm="maturation"))

    def test_weights_make_every_class_count_the_same(self) -> None:
        labels = np.repeat([0, 1, 2], [20, 5, 2])
        weights = class_weights(labels, 3)
        assert torch.allclose(weights * torch.tensor([20.0, 5.0, 2.0]), torch.tensor(9.0))
        weighted = weights.unsqueeze(1) * smoothed_targets(3, 0.1)
        logits = torch.randn(27, 3, generator=generator())
        tensor = torch.from_numpy(labels)
        each = cross_entropy(logits, tensor, label_smoothing=0.1, reduction="none")
        ours = cross_entropy(logits, weighted[tensor])
        assert torch.allclose(ours, (weights[tensor] * each).mean(), atol=1e-6)


class TestBalanced:
    real = np.repeat([0, 1, 2], [20, 5, 2])

    def batches(self, share: float = 0.0, seed: int = 0) -> Batches:
        return Batches(self.real, np.array([1, 0, 2]), share, 9, seed, balanced=True)

    def test_classes_and_the_images_of_a_class_are_shown_equally_often(self) -> None:
        steps = [self.batches().at(step) for step in range(20)]
        labels = np.concatenate([batch.labels for batch in steps])
        images = np.concatenate([batch.images for batch in steps])
        assert np.bincount(labels).tolist() == [60, 60, 60]
        assert (labels == self.real[images]).all()
        assert np.bincount(images).tolist() == [3] * 20 + [12] * 5 + [30] * 2

    def test_composites_change_no_label(self) -> None:
        for step in range(10):
            plain, mixed_ = self.batches().at(step), self.batches(0.5).at(step)
            assert (plain.labels == mixed_.labels).all()
        assert (self.batches().at(3).images != self.batches(seed=1).at(3).images).any()


class TestRuns:
    @pytest.mark.parametrize(
        "arm", [name for name in SETTINGS if name not in ("maturation", "growing")]
    )
    def test_every_setting_trains(self, split: Artefact, arm: str) -> None:
        folder = split.path.parent
        composites = make_composites(folder, ["BA", "EO", "LY"]) if arm == "naturalize" else None
        asked = replace(TINY, arm=arm, budget_images=24, validations=0)
        run = train_on_cpu(split, folder / "run", asked, composites=composites)
        assert run.summary["arm"] == arm
        assert run.manifest["parameters"]["arm"]["name"] == arm

    def test_a_head_over_images_that_vary_learns_step_by_step(self, split: Artefact) -> None:
        asked = replace(TINY, mode="transfer", budget_images=24, arm="stain+crops")
        assert train_on_cpu(split, split.path.parent / "run", asked).summary["images_seen"] == 24

    def test_a_growing_arm_trains_what_takes_images_of_any_size(self, split: Artefact) -> None:
        growing, folder = replace(TINY, arm="growing", input_px=48), split.path.parent
        asked = replace(growing, model="efficientnet-lite0", weights="random", budget_images=48)
        assert train_on_cpu(split, folder / "run", asked).summary["images_seen"] == 48
        with pytest.raises(InputError, match="takes images of 32 px and of 48 px"):
            train_on_cpu(split, folder / "other", growing)
