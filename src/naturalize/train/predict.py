"""Class probabilities of images, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from naturalize.progress import Track, quiet
from naturalize.train.pixels import normalise

BATCH_SIZE = 128


def predict(
    model: nn.Module,
    pixels: Tensor,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    batch_size: int = BATCH_SIZE,
    what: str = "predicting",
    track: Track = quiet,
) -> NDArray[np.float32]:
    """Return probabilities (N, classes) of uint8 ``pixels`` (N, 3, S, S), in float32 throughout.

    Runs on the device of ``model`` in evaluation mode, without augmentation, and leaves the mode as
    it was. An image's probabilities do not depend on its neighbours in the batch (to about 1e-6).
    """
    device = next(model.parameters()).device
    starts = range(0, max(len(pixels), 1), batch_size)
    rows: list[Tensor] = []
    with evaluating(model), torch.no_grad():
        for start in track(starts, len(starts), what):
            images = normalise(pixels[start : start + batch_size].to(device), mean, std)
            rows.append(model(images).softmax(dim=1).cpu())
    return torch.cat(rows).numpy()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode, and every module back into its own, whatever happens."""
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in was_training:
            module.training = True
