"""Images of one batch blended, and their targets with them: mixup and CutMix."""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

Mix = Literal["mixup", "cutmix"]
MIXUP_ALPHA = 0.2


def mixed(
    images: Tensor, targets: Tensor, how: Mix, *, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Blend each image with the one before it in the batch, the first with the last.

    ``mixup`` (Zhang et al., 2018) adds the two with weights drawn from Beta(.2, .2); ``cutmix``
    (Yun et al., 2019) puts a rectangle of the other in its place, of an area drawn evenly. Targets
    (N, classes) are blended alike, in ``cutmix`` by area. ``images`` are (N, C, S, S).
    """
    if how == "mixup":
        weight = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
        blended = weight * images + (1 - weight) * images.roll(1, 0)
    else:
        side = images.shape[-1]
        top, bottom, left, right = _rectangle(side, rng)
        weight = 1 - (bottom - top) * (right - left) / side**2
        blended = images.clone()
        blended[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    return blended, weight * targets + (1 - weight) * targets.roll(1, 0)


def _rectangle(side: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a square about any point, cut at the border: top, bottom, left, right."""
    half = side * np.sqrt(rng.random()) / 2
    row, column = rng.integers(side, size=2)
    ends = np.clip(np.round([row - half, row + half, column - half, column + half]), 0, side)
    top, bottom, left, right = (int(end) for end in ends)
    return top, bottom, left, right
