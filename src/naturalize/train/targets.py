"""What an image of each class is to be answered with."""

from __future__ import annotations

import torch
from torch import Tensor


def smoothed_targets(n_classes: int, smoothing: float) -> Tensor:
    """Return float32 (classes, classes): row c gives class c 1 - ``smoothing``, all the rest.

    The rest is spread evenly over all classes, c among them, as in label smoothing.

    >>> smoothed_targets(2, 0.5).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    even = torch.full((n_classes, n_classes), smoothing / n_classes)
    return even + (1 - smoothing) * torch.eye(n_classes)
