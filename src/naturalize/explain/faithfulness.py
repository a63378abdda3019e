"""Does the class hang on the hot pixels? Deletion and insertion (Petsiuk et al. 2018).

RISE: Randomized input sampling for explanation of black-box models, BMVC 2018, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.images import Rgb

STEPS = 32
_BLUR_SHARE = 5 / 224
"""Spread of the blur that insertion begins from, in sides of the image, as in the paper's code."""

Ask = Callable[[Sequence[Rgb]], NDArray[np.float32]]
"""Gives the probability of the class asked about for each of some squares."""


def deletion(ask: Ask, square: Rgb, heat: NDArray[np.float32], blank: Rgb) -> float:
    """Return the area under the probability as the hottest pixels turn ``blank`` first.

    Low, near 0, where the picture is right: the class is gone with the first pixels.
    """
    return _area(ask, square, np.broadcast_to(blank, square.shape), heat)


def insertion(ask: Ask, square: Rgb, heat: NDArray[np.float32]) -> float:
    """Return the area under the probability as a blurred image gets its hottest pixels back first.

    High, near 1, where the picture is right: the class is there with the first pixels.
    """
    blurred = cv2.GaussianBlur(square, (0, 0), _BLUR_SHARE * square.shape[0])
    return _area(ask, np.asarray(blurred, np.uint8), square, heat)


def hottest_first(heat: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the rank of each pixel, 0 the hottest; of equals the first, (S, S).

    >>> hottest_first(np.float32([[0, 2], [1, 2]])).tolist()
    [[3, 0], [2, 1]]
    """
    rank = np.empty(heat.size, np.intp)
    rank[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
    return rank.reshape(heat.shape)


def _area(ask: Ask, before: Rgb, after: Rgb, heat: NDArray[np.float32]) -> float:
    """Return the mean probability while pixels change from ``before`` to ``after``."""
    rank = hottest_first(heat)
    ends = [heat.size * step // STEPS for step in range(STEPS + 1)]
    on_the_way = [np.where((rank < end)[..., None], after, before) for end in ends]
    return float(np.trapezoid(ask(on_the_way), dx=1 / STEPS))
