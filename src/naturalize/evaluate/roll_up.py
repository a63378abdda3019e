"""Fewer, coarser classes: PBC's eight folders instead of eleven classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from naturalize.predictions import Predictions


def rolled_up(
    confusion: NDArray[np.int64], classes: Sequence[str], coarser: Mapping[str, str]
) -> NDArray[np.int64]:
    """Add up rows and columns of confusion matrices (..., C, C) to those of coarser classes.

    ``coarser`` names the coarser class of each; the result is (..., G, G), in order of their names.

    >>> rolled_up(np.array([[2, 1], [0, 3]]), ["BNE", "SNE"], {"BNE": "N", "SNE": "N"}).tolist()
    [[6]]
    """
    _, member = _membership(classes, coarser)
    return np.asarray(member.T @ confusion @ member)


def merged(predictions: Predictions, coarser: Mapping[str, str]) -> Predictions:
    """Add up the probabilities of classes to those of coarser ones, in order of their names."""
    names, member = _membership(predictions.classes, coarser)
    probabilities = (predictions.probabilities @ member).astype(np.float32)
    return replace(predictions, probabilities=probabilities, classes=names)


def _membership(
    classes: Sequence[str], coarser: Mapping[str, str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the coarser classes, and which of them each class is, (C, G)."""
    names = tuple(sorted({coarser[label] for label in classes}))
    member = [[coarser[label] == name for name in names] for label in classes]
    return names, np.array(member, np.int64)
