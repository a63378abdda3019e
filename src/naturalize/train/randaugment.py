"""RandAugment (Cubuk et al., 2020), each image by draws of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2 import RandAugment

OPERATIONS = 2
MAGNITUDE = 9


def randomly_augmented(images: Tensor, seeds: Sequence[int]) -> Tensor:
    """Bend and recolour each of ``images``, uint8 (N, 3, S, S), as its seed says.

    What comes in from outside an image has the mean colour of its first and last row, mostly bare
    slide. The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        return torch.stack([_one(i, seed) for i, seed in zip(images, seeds, strict=True)])


def _one(image: Tensor, seed: int) -> Tensor:
    torch.manual_seed(seed)
    slide = torch.cat([image[:, 0], image[:, -1]], dim=1).float().mean(dim=1)
    augmented: Tensor = RandAugment(OPERATIONS, MAGNITUDE, fill=slide.tolist())(image)
    return augmented
