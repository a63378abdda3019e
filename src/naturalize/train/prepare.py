"""From the pixels a feed shows to what a network learns from: float images and targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from naturalize.seeds import child, child_seed
from naturalize.train.arms import Arm
from naturalize.train.augment import draw_orientations, orient
from naturalize.train.crop import cropped, draw_corners
from naturalize.train.feed import Pixels
from naturalize.train.growth import resized, side_at
from naturalize.train.mixing import mixed
from naturalize.train.pixels import normalise
from naturalize.train.randaugment import randomly_augmented
from naturalize.train.stain_jitter import draw_stain, stained

Rgb3 = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Preparation:
    """What images and labels undergo before a network sees them, as ``arm`` says.

    Row c of ``targets``, float32 (classes, classes), is what an image of class c is to be answered
    with; ``steps`` is the length of the training. Everything drawn at a step is drawn for the whole
    batch, from ``seed`` and the step alone, and each process takes its share; images are mixed
    within a share.
    """

    arm: Arm
    input_px: int
    mean: Rgb3
    std: Rgb3
    targets: Tensor
    batch_size: int
    steps: int
    seed: int

    def __call__(self, shown: Pixels, step: int, share: slice) -> tuple[Tensor, Tensor]:
        """Return images, float32 (N, 3, S, S), and targets, float32 (N, classes).

        S is ``input_px``, or less where the arm grows.

        ``shown`` are the slots ``share`` of the batch at ``step``; both results lie on the device
        of ``targets``.
        """
        pixels, labels = (tensor.to(self.targets.device) for tensor in shown)
        images = normalise(self._augmented(pixels, step, share), self.mean, self.std)
        if self.arm.growing:
            images = resized(images, side_at(step, self.steps, self.input_px))
        targets = self.targets[labels]
        if self.arm.mix is None:
            return images, targets
        return mixed(images, targets, self.arm.mix, rng=child(self.seed, "mix", step))

    def orientations(self, step: int) -> Tensor:
        """Return how each image of the batch at ``step`` lies, int64 (batch size,)."""
        if not self.arm.flips:
            return torch.zeros(self.batch_size, dtype=torch.int64)
        return draw_orientations(self.batch_size, generator=self._generator("augment", step))

    def _augmented(self, pixels: Tensor, step: int, share: slice) -> Tensor:
        arm, size = self.arm, self.batch_size
        if arm.flips:
            pixels = orient(pixels, self.orientations(step)[share])
        if arm.crops:
            room = pixels.shape[-1] - self.input_px
            corners = draw_corners(size, room, generator=self._generator("crop", step))
            pixels = cropped(pixels, self.input_px, corners[share])
        if arm.randaugment:
            seeds = [child_seed(self.seed, "randaugment", step, slot) for slot in range(size)]
            pixels = randomly_augmented(pixels, seeds[share])
        if arm.stain or arm.light:
            density, light = draw_stain(size, generator=self._generator("stain", step))
            if not arm.stain:
                density = torch.ones_like(density)
            pixels = stained(pixels, density[share], light[share])
        return pixels

    def _generator(self, what: str, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(child_seed(self.seed, what, step))
