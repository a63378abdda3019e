"""Random squares out of images decoded a little wider; nothing is resampled."""

from __future__ import annotations

import torch
from torch import Tensor

MARGIN = 1.15


def widened(px: int) -> int:
    """Return the side that leaves room to move a square of ``px``.

    >>> widened(160)
    184
    """
    return round(px * MARGIN)


def draw_corners(count: int, room: int, *, generator: torch.Generator) -> Tensor:
    """Draw (row, column) of the upper left corner of each square, int64 (count, 2), up to ``room``.

    >>> draw_corners(1, 0, generator=torch.Generator()).tolist()
    [[0, 0]]
    """
    return torch.randint(room + 1, (count, 2), generator=generator)


def cropped(images: Tensor, side: int, corners: Tensor) -> Tensor:
    """Return the square of ``side`` at its corner out of each of ``images`` (N, C, S, S).

    >>> cropped(torch.arange(9).view(1, 1, 3, 3), 2, torch.tensor([[1, 0]])).flatten().tolist()
    [3, 4, 6, 7]
    """
    places = zip(images, corners.tolist(), strict=True)
    return torch.stack([i[:, top : top + side, left : left + side] for i, (top, left) in places])
