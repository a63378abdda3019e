"""What an image of each class is to be answered with, and how much that counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from naturalize.datasets.pbc import MATURATION
from naturalize.errors import InputError


def smoothed_targets(n_classes: int, smoothing: float) -> Tensor:
    """Return float32 (classes, classes): row c gives class c 1 - ``smoothing``, all the rest.

    The rest is spread evenly over all classes, c among them (Szegedy et al., 2016).

    >>> smoothed_targets(2, 0.5).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    even = torch.full((n_classes, n_classes), smoothing / n_classes)
    return even + (1 - smoothing) * torch.eye(n_classes)


def maturation_targets(classes: Sequence[str], smoothing: float) -> Tensor:
    """Return targets as :func:`smoothed_targets`, but along the maturation line.

    A class of :data:`~naturalize.datasets.pbc.MATURATION` gives ``smoothing`` to its neighbours
    there alone, in equal parts.
    :class:`InputError` unless two of ``classes`` are on the line.

    >>> maturation_targets(["BNE", "LY", "SNE"], 0.5)[0].tolist()
    [0.5, 0.0, 0.5]
    """
    line = [classes.index(stage) for stage in MATURATION if stage in classes]
    if len(line) < 2:
        got = ", ".join(classes)
        raise InputError("arm maturation", f"classes out of {', '.join(MATURATION)}", got)
    targets = smoothed_targets(len(classes), smoothing)
    for place, stage in enumerate(line):
        neighbours = [*line[max(place - 1, 0) : place], *line[place + 1 : place + 2]]
        targets[stage] = 0
        targets[stage, stage] = 1 - smoothing
        targets[stage, neighbours] = smoothing / len(neighbours)
    return targets


def class_weights(labels: NDArray[np.int64], n_classes: int) -> Tensor:
    """Return float32 (classes,): the rarer a class, the more; 1 on the mean over ``labels``.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = np.bincount(labels, minlength=n_classes)
    return torch.from_numpy(len(labels) / (n_classes * counts)).float()
