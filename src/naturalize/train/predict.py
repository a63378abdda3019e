"""Class probabilities of images, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from naturalize.progress import Track, quiet
from naturalize.train.augment import orient
from naturalize.train.pixels import normalise

BATCH_SIZE = 128


def predict(
    model: nn.Module,
    pixels: Tensor,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    views: int = 1,
    batch_size: int = BATCH_SIZE,
    what: str = "predicting",
    track: Track = quiet,
) -> NDArray[np.float32]:
    """Return probabilities (N, classes) of uint8 ``pixels`` (N, 3, S, S), in float32 throughout.

    With several ``views`` they are the mean over an image's first orientations: 4 are its flips, 8
    its quarter turns too. Runs on the device of ``model`` in evaluation mode and leaves the mode as
    it was. An image's probabilities do not depend on its neighbours in the batch (to about 1e-6).
    """
    device = next(model.parameters()).device
    starts = range(0, max(len(pixels), 1), batch_size)
    rows: list[Tensor] = []
    with evaluating(model), torch.no_grad():
        for start in track(starts, len(starts), what):
            shown = pixels[start : start + batch_size].to(device)
            rows.append(_mean_answer(model, normalise(shown, mean, std), views).cpu())
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


def _mean_answer(model: nn.Module, images: Tensor, views: int) -> Tensor:
    """Return the mean of the probabilities of ``images`` in their first ``views`` orientations."""
    lying = torch.arange(views).view(-1, 1).expand(-1, len(images))
    answers = [model(orient(images, one)).softmax(dim=1) for one in lying]
    return torch.stack(answers).mean(dim=0)
