"""Flips and quarter turns: the eight ways a square image can lie, none of which resamples it."""

from __future__ import annotations

import torch
from torch import Tensor

ORIENTATIONS = 8


def draw_orientations(count: int, *, generator: torch.Generator) -> Tensor:
    """Draw one of the eight orientations for each image, int64 (count,), on the CPU."""
    return torch.randint(ORIENTATIONS, (count,), generator=generator)


def orient(images: Tensor, orientations: Tensor) -> Tensor:
    """Lay each of the square ``images`` (N, C, S, S) as ``orientations`` (N,) says.

    Bit 4 swaps rows and columns, then bit 2 turns the rows round, then bit 1 the columns; together
    they give each element of the dihedral group once. Any dtype, any device.

    >>> orient(torch.arange(4).view(1, 1, 2, 2), torch.tensor([1])).flatten().tolist()
    [1, 0, 3, 2]
    """
    bits = orientations.to(images.device).view(-1, 1, 1, 1)
    images = torch.where(bits & 4 > 0, images.transpose(-1, -2), images)
    images = torch.where(bits & 2 > 0, images.flip(-2), images)
    return torch.where(bits & 1 > 0, images.flip(-1), images)
