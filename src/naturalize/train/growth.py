"""Images shown small at first: most of a training at a fraction of its cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from naturalize.errors import InputError

FIRST = 2 / 3
GROWN = 2 / 3
MULTIPLE = 16


def side_at(step: int, steps: int, full_px: int) -> int:
    """Return the side of images at ``step`` in 0 .. ``steps`` - 1.

    From two thirds of ``full_px`` it grows in multiples of 16 px through the first two thirds of
    the training; the last third shows ``full_px`` (progressive learning; Tan and Le, 2021).

    >>> [side_at(step, 9, 192) for step in range(9)]
    [128, 128, 144, 160, 160, 176, 192, 192, 192]
    """
    part = step / (steps * GROWN)
    if part >= 1:
        return full_px
    side = full_px * (FIRST + (1 - FIRST) * part)
    return min(full_px, max(MULTIPLE, int(side) // MULTIPLE * MULTIPLE))


def resized(images: Tensor, side: int) -> Tensor:
    """Return float images (N, C, S, S) at ``side``, smoothed before they shrink.

    >>> resized(torch.ones(1, 3, 24, 24), 16).shape
    torch.Size([1, 3, 16, 16])
    """
    if images.shape[-1] == side:
        return images
    return interpolate(images, (side, side), mode="bilinear", antialias=True)


def check_growth(network: nn.Module, full_px: int, name: str) -> None:
    """Raise :class:`InputError` unless ``network`` takes the smallest images of a growing arm."""
    side = side_at(0, 1, full_px)
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError, ValueError) as error:
        wanted = f"a network that takes images of {side} px and of {full_px} px"
        raise InputError("arm growing", wanted, name) from error
    finally:
        network.train(was_training)
