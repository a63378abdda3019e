"""Stain smeared around a burst cell, most often a basophil: pink, pale and ragged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.segment.regions import inner_distance, solidity
from naturalize.segment.stain import Stain

_RAGGED = 0.95
_PALE = 0.28
_PINK = 0.18
_PINK_AT_MOST = 0.28
_NUCLEUS = 0.75
_SOME, _MOST = 0.05, 0.8
_RIM = 0.03
_DENSE = 0.4


def burst_core(
    cell: NDArray[np.bool_], nucleus: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> NDArray[np.bool_] | None:
    """Return the part of a burst cell without the stain smeared around it; None for a whole cell.

    A cell has burst where what surrounds its large nucleus is less than that, far paler, pink, and
    without a round outline. Cytoplasm so pale is that of mature granulocytes, which are round and
    have small nuclei: the smaller the nucleus, the pinker the stain must be. Masks are bool
    (height, width); ``diameter_px`` is that of a red cell.
    """
    area = np.count_nonzero(nucleus) / (np.pi / 4 * diameter_px**2)
    if area < _NUCLEUS or solidity(cell) > _RAGGED:
        return None
    to_nucleus = inner_distance(~nucleus)
    rest = cell & (to_nucleus > _RIM * diameter_px)
    if not _SOME < np.count_nonzero(rest) / np.count_nonzero(nucleus) < _MOST:
        return None
    green = stain.density[..., 1]
    nuclear = float(np.median(green[nucleus]))
    bluish = float(np.percentile(stain.purple[rest] / np.maximum(green[rest], 0.02), 75))
    pink = bluish < min(_PINK * area, _PINK_AT_MOST)
    if not pink or float(np.median(green[rest])) > _PALE * nuclear:
        return None
    return np.asarray(cell & ((to_nucleus <= _RIM * diameter_px) | (green > _DENSE * nuclear)))
