"""A probe that sees pixels as they are: a small network on crops at native resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from naturalize.images import Rgb
from naturalize.seeds import child

CROP_PX = 96
MIDDLE_PX = 192
"""Side of the square in the middle of a picture that crops are taken from: the subject with its
outline and nearest neighbours, which every composite shows anew."""
CROPS = 9
"""Crops a picture is judged by, evenly spread over that square: three rows of three."""
WIDTHS = (16, 32, 64, 64)
STEPS = 1200
"""Fewer miss hard cuts at times: 400 told them at .69 to .99, by bank and recipe."""
BATCH = 48
RATE = 3e-3
DECAY = 1e-3


class CropProbe:
    """Four convolutions on crops of 96 px from the middle, 1,200 steps; mean over nine crops."""

    name = "crops"
    limit = 0.70

    def look(self, pictures: Sequence[Rgb]) -> list[Rgb]:
        """Return the pictures as they are."""
        return list(pictures)

    def scores(
        self,
        real: Sequence[Rgb],
        made: Sequence[Rgb],
        seen: Sequence[Sequence[Rgb]],
        *,
        seed: int,
    ) -> list[NDArray[np.float64]]:
        """Learn from ``real`` and ``made``; return how made each of ``seen`` looks."""
        network = _trained(real, made, seed=seed).eval()
        with torch.inference_mode():
            return [np.array([_score(network, rgb) for rgb in pictures]) for pictures in seen]


def small_network() -> nn.Module:
    """Return four 3x3 convolutions with batch norm, ReLU and mean pooling, and one logit."""
    blocks: list[nn.Module] = []
    for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        blocks += [conv, nn.BatchNorm2d(outputs), nn.ReLU(), nn.AvgPool2d(2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 1), nn.Flatten(0)]
    return nn.Sequential(*blocks, *head)


def _trained(real: Sequence[Rgb], made: Sequence[Rgb], *, seed: int) -> nn.Module:
    """Train on as many crops of real as of made pictures, a fixed number of steps."""
    rng = child(seed, "crops")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = small_network().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=STEPS)
    truth = torch.arange(BATCH).remainder(2).float()
    for _ in range(STEPS):
        crops = [_random_crop((real, made)[i % 2], rng) for i in range(BATCH)]
        loss = nn.functional.binary_cross_entropy_with_logits(network(_tensor(crops)), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return network


def _random_crop(pictures: Sequence[Rgb], rng: np.random.Generator) -> Rgb:
    rgb = _middle(pictures[int(rng.integers(len(pictures)))])
    spare = [max(1, side - CROP_PX + 1) for side in rgb.shape[:2]]
    top, left = (int(rng.integers(n)) for n in spare)
    return rgb[top : top + CROP_PX, left : left + CROP_PX]


def _score(network: nn.Module, rgb: Rgb) -> float:
    """Return the mean logit over crops spread evenly over the middle of the picture."""
    middle, n = _middle(rgb), round(CROPS**0.5)
    rows, columns = (np.linspace(0, max(0, s - CROP_PX), n).astype(int) for s in middle.shape[:2])
    crops = [middle[r : r + CROP_PX, c : c + CROP_PX] for r in rows for c in columns]
    return float(network(_tensor(crops)).mean())


def _middle(rgb: Rgb) -> Rgb:
    top, left = (max(0, (side - MIDDLE_PX) // 2) for side in rgb.shape[:2])
    return rgb[top : top + MIDDLE_PX, left : left + MIDDLE_PX]


def _tensor(crops: Sequence[Rgb]) -> Tensor:
    """Return float crops (N, 3, S, S) in [-1, 1]; all must have one size."""
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    return pixels.contiguous(memory_format=torch.channels_last).float() / 127.5 - 1
