"""Every image decoded once, cropped and resized, in one tensor."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from naturalize.compose.composite_set import CompositeSet
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.progress import Track, quiet

Reader = Callable[[], Rgb]


def sample_readers(root: Path, samples: Sequence[Sample]) -> list[Reader]:
    """Return one reader for each real image below ``root``."""
    return [partial(read_sample, root, sample) for sample in samples]


def composite_readers(composites: CompositeSet) -> list[Reader]:
    """Return one reader for each image of a set of composites."""
    return [partial(composites.read, image) for image in composites.images]


def load_pixels(
    readers: Sequence[Reader],
    *,
    input_px: int,
    crop_px: int | None,
    what: str = "decoding",
    track: Track = quiet,
) -> Tensor:
    """Return uint8 pixels (N, 3, ``input_px``, ``input_px``) in the order of ``readers``.

    Images are decoded by as many threads as there are cores; see :func:`fit_square` for
    ``crop_px``. A file that cannot be read raises :class:`~naturalize.errors.ImageError`.
    """
    pixels = np.empty((len(readers), 3, input_px, input_px), np.uint8)

    def place(index: int) -> None:
        square = fit_square(readers[index](), input_px=input_px, crop_px=crop_px)
        pixels[index] = square.transpose(2, 0, 1)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for _ in track(pool.map(place, range(len(readers))), len(readers), what):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return torch.from_numpy(pixels)


def fit_square(rgb: Rgb, *, input_px: int, crop_px: int | None) -> Rgb:
    """Cut the centred square of ``crop_px`` and resize it to ``input_px``.

    None, or more than the image holds, is the largest centred square. Shrinks by the mean of the
    pixels covered, enlarges linearly.

    >>> fit_square(np.zeros((360, 363, 3), np.uint8), input_px=160, crop_px=256).shape
    (160, 160, 3)
    """
    height, width = rgb.shape[:2]
    side = min(height, width, crop_px or height)
    top, left = (height - side) // 2, (width - side) // 2
    square = rgb[top : top + side, left : left + side]
    if side == input_px:
        return np.ascontiguousarray(square)
    method = cv2.INTER_AREA if side > input_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (input_px, input_px), interpolation=method), np.uint8)


def normalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return float32 images in channels-last layout from uint8 (N, 3, S, S).

    Pixels are scaled to [0, 1], then ``mean`` is taken off and ``std`` divided out per channel.

    >>> normalise(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8), [0.5] * 3, [0.5] * 3).tolist()
    [[[[1.0]], [[1.0]], [[1.0]]]]
    """
    scale = torch.tensor([1 / (255 * s) for s in std], device=pixels.device).view(1, 3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=pixels.device)
    images = pixels.to(memory_format=torch.channels_last).float()
    return images * scale + shift.view(1, 3, 1, 1)
