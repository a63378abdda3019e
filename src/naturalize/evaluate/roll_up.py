"""Fewer, coarser classes: PBC's eight folders instead of eleven classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def rolled_up(
    confusion: NDArray[np.int64], classes: Sequence[str], coarser: Mapping[str, str]
) -> NDArray[np.int64]:
    """Add up rows and columns of confusion matrices (..., C, C) to those of coarser classes.

    ``coarser`` names the coarser class of each; the result is (..., G, G), in order of their names.

    >>> rolled_up(np.array([[2, 1], [0, 3]]), ["BNE", "SNE"], {"BNE": "N", "SNE": "N"}).tolist()
    [[6]]
    """
    names = sorted({coarser[label] for label in classes})
    member = np.array([[coarser[label] == name for name in names] for label in classes], np.int64)
    return np.asarray(member.T @ confusion @ member)
