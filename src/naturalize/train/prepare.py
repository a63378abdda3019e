"""From the pixels a feed shows to what a network learns from: float images and targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from naturalize.seeds import child_seed
from naturalize.train.augment import draw_orientations, orient
from naturalize.train.feed import Pixels
from naturalize.train.pixels import normalise

Rgb3 = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Preparation:
    """What images and labels undergo before a network sees them.

    ``flips`` draws one of eight orientations an image; row c of ``targets``, float32 (classes,
    classes), is what an image of class c is to be answered with. Everything drawn at a step is
    drawn for the whole batch, from ``seed`` and the step alone, and each process takes its share.
    """

    mean: Rgb3
    std: Rgb3
    targets: Tensor
    batch_size: int
    seed: int
    flips: bool = False

    def __call__(self, shown: Pixels, step: int, share: slice) -> tuple[Tensor, Tensor]:
        """Return images, float32 (N, 3, S, S), and targets, float32 (N, classes).

        ``shown`` are the slots ``share`` of the batch at ``step``; both results lie on the device
        of ``targets``.
        """
        pixels, labels = (tensor.to(self.targets.device) for tensor in shown)
        if self.flips:
            pixels = orient(pixels, self.orientations(step)[share])
        return normalise(pixels, self.mean, self.std), self.targets[labels]

    def orientations(self, step: int) -> Tensor:
        """Return how each image of the batch at ``step`` lies, int64 (batch size,)."""
        if not self.flips:
            return torch.zeros(self.batch_size, dtype=torch.int64)
        generator = torch.Generator().manual_seed(child_seed(self.seed, "augment", step))
        return draw_orientations(self.batch_size, generator=generator)
