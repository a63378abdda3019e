"""Stain that is unlike an image's own red cells: what shows a cell of which no nucleus is seen.

Cytoplasm differs from haemoglobin little, but in four ways at once: blue light is absorbed less,
green and red light more, and granules give it a grain. The weights are those of a logistic
regression of pasted cells' edges against red cells (``benchmarks/multicell_weights.py``);
differences are told in units of the red cells' density, from the median of the image's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment import Mask
from naturalize.segment.stain import Stain

_NEAR, _FINE, _RIM = 0.12, 0.07, 0.1
_WEIGHTS = (2.7, 6.5, -16.2, 38.0)
_USUAL = (0.65, 0.98, 0.57, 0.013)
"""What red cells measure where an image shows none: the medians of PBC."""


def unlikeness(
    stain: Stain, masks: Sequence[Mask], diameter_px: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how unlike red cells the stain around each pixel is, and how grainy, against theirs.

    Both are float32 (height, width): 0 is as red cells of this image are, and 0 where there is no
    stain; a grain of 1 is as theirs. ``diameter_px`` is that of a red cell.
    """
    red_cells = _red_cells(masks, stain.foreground.shape)
    unlike, told = np.zeros_like(stain.purple), np.zeros_like(stain.purple)
    usual = 1.0
    planes = measurements(stain, diameter_px)
    for told, weight, common in zip(planes, _WEIGHTS, _USUAL, strict=True):
        usual = float(np.median(told[red_cells])) if red_cells.any() else common
        unlike += np.float32(weight) * (told - np.float32(usual))
    grain = told / np.float32(max(usual, 1e-3))
    return np.where(stain.foreground, unlike, np.float32(0)), grain


def measurements(stain: Stain, diameter_px: float) -> list[NDArray[np.float32]]:
    """Return red, green and blue density and grain around each pixel, float32 (height, width) each.

    In units of the red cells' density. Means are over stained pixels near by; the grain is how far
    green density is from its mean over few pixels, away from the rim, where it falls anyway.
    """
    near, fine, rim = (max(3, round(s * diameter_px)) | 1 for s in (_NEAR, _FINE, _RIM))
    stained = stain.foreground.astype(np.float32)
    planes = [_mean_within(stain.density[..., c], stained, near) for c in range(3)]
    green = stain.density[..., 1]
    grain = np.abs(green - _mean_within(green, stained, fine))
    planes.append(_mean_within(grain, cv2.erode(stained, np.ones((rim, rim), np.uint8)), near))
    return [plane / np.float32(stain.red_cell_density) for plane in planes]


def _red_cells(masks: Sequence[Mask], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    pixels = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        if mask.kind == "RBC":
            pixels[mask.box.slices] |= mask.pixels
    return pixels


def _mean_within(
    values: NDArray[np.float32], inside: NDArray[np.float32] | cv2.typing.MatLike, side_px: int
) -> NDArray[np.float32]:
    """Return the mean of ``values`` over those pixels of a square around each that are inside."""
    weight = cv2.blur(inside, (side_px, side_px))
    total = cv2.blur(inside * values, (side_px, side_px))
    return np.asarray(total / np.maximum(weight, 0.02), dtype=np.float32)
