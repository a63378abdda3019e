"""Stage-tolerant scores: an answer one stage off counts as right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from naturalize.evaluate.kappa import line_positions


def forgiven(
    confusion: NDArray[np.int64], classes: Sequence[str], line: Sequence[str]
) -> NDArray[np.int64]:
    """Return confusion matrices (..., C, C) in which neighbours on ``line`` are no confusion.

    A sample taken for a neighbour of its class is counted as if its class had been answered; what
    is scored from the result is stage-tolerant.

    >>> forgiven(np.array([[2, 1], [0, 3]]), ["BNE", "SNE"], ["BNE", "SNE"]).tolist()
    [[3, 0], [0, 3]]
    """
    mild = confusion.copy()
    for one, other in pairwise(line_positions(classes, line).tolist()):
        for truth, answer in ((one, other), (other, one)):
            mild[..., truth, truth] += mild[..., truth, answer]
            mild[..., truth, answer] = 0
    return mild
