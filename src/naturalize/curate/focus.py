"""Finding: images out of focus, compared with others of their acquisition source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.curate.finding import Finding
from naturalize.curate.landmarks import shrink
from naturalize.curate.spread import robust_z
from naturalize.images import Rgb

MIN_Z = -4.5
FINE_PX, COARSE_PX = 2, 4
_LEAST_SPREAD = 0.1


def sharpness(rgb: Rgb) -> float:
    """Return the logarithm of fine detail over coarse detail of the green channel.

    Detail is the variance of the Laplacian (Pech-Pacheco et al. 2000), fine at half size, coarse
    at a quarter. The ratio depends little on how many cells an image holds; blur takes the fine
    detail and leaves the coarse. At full size the block edges of JPEG would pass for detail.
    """
    fine = _detail(shrink(rgb, FINE_PX))
    coarse = _detail(shrink(rgb, COARSE_PX))
    return float(np.log((fine + 0.01) / (coarse + 0.01)))


def find_focus(
    paths: Sequence[str], sharpnesses: NDArray[np.float64], sources: NDArray[np.intp]
) -> Iterator[Finding]:
    """Name images far less sharp than is usual in their source; ``value`` is the robust z."""
    for i, z in enumerate(robust_z(sharpnesses, sources, least_spread=_LEAST_SPREAD)):
        if z <= MIN_Z:
            yield Finding(
                kind="focus",
                path=paths[i],
                value=f"{z:.1f}",
                reason=f"blurred: its fine detail is {-z:.1f} spreads below what is usual",
            )


def _detail(rgb: Rgb) -> float:
    return float(cv2.Laplacian(rgb[..., 1].copy(), cv2.CV_16S).astype(np.float64).var())
