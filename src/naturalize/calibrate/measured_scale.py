"""How train images show their cells, measured on some of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.classify.light import known_slides
from naturalize.classify.reader_info import Scale
from naturalize.errors import InputError

_UNUSUAL = 0.5
_OFFSET = 95


def measured_scale(sizes: NDArray[np.float64], crop_px: int | None) -> Scale:
    """Return the scale of train images of which a network saw the middle ``crop_px``.

    ``sizes`` (N, 6) are those of :meth:`~naturalize.calibrate.looked.Looker.sizes`. All but one
    image in a hundred count as usual in size, all but one in twenty as centred.
    """
    diameters, offsets, shorter = sizes[:, 0], sizes[:, 1], float(np.median(sizes[:, 5]))
    if np.isnan(diameters).all() or np.isnan(offsets).all():
        raise InputError("train images", "cells and red cells to tell their scale by", "none")
    usual = float(np.nanmedian(diameters))
    low, high = np.nanpercentile(diameters, [_UNUSUAL, 100 - _UNUSUAL]).tolist()
    side = shorter if crop_px is None else min(shorter, crop_px)
    return Scale(
        diameter_px=round(usual, 2),
        usual_px=(round(low, 2), round(high, 2)),
        usual_offset=round(float(np.nanpercentile(offsets, _OFFSET)) / usual, 4),
        crop_diameters=round(side / usual, 4),
        crop_share=round(side / shorter, 4),
        slides=tuple(known_slides(sizes[:, 2:5])),
    )
