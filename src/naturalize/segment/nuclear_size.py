"""How large red cells must be where a picture shows none: nuclei tell it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.regions import bounds, cut_by_border, label_areas, label_regions

_USUAL_AREA = 1.8
_LONE = 4.5
_SOME = 0.6


def nucleated_cells_only(foreground: NDArray[np.bool_], nuclear: NDArray[np.bool_]) -> float | None:
    """Return the likely diameter in px of red cells where nucleated cells are all it shows.

    A region that nuclei fill to a good part, and that the border does not cut, is one cell. Where
    little else shows, the largest nucleus, its lobes together, is taken to be 1.8 times as large as
    a red cell; else the answer is None: red cells tell their size.
    """
    seen, purple = np.count_nonzero(foreground), np.count_nonzero(nuclear)
    if not purple or seen > (_LONE + _SOME) * purple:
        return None
    guess = _usual_diameter(nuclear)
    rest = np.count_nonzero(foreground & ~_lone_cells(foreground, nuclear))
    return guess if rest < _SOME * np.pi / 4 * guess**2 else None


def _lone_cells(foreground: NDArray[np.bool_], nuclear: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the regions so far filled by nuclei that they show one whole nucleated cell."""
    labels, stats = label_regions(foreground)
    lone = stats[:, cv2.CC_STAT_AREA] < _LONE * np.bincount(labels[nuclear], minlength=len(stats))
    lone &= ~cut_by_border(stats, foreground.shape)
    lone[0] = False
    return np.take(lone, labels)


def _usual_diameter(nuclear: NDArray[np.bool_]) -> float:
    """Return the diameter at which the largest nucleus, lobes together, has its usual size."""
    nuclear = nuclear[bounds(nuclear)]
    _, areas = label_areas(nuclear)
    lobe = 2 * (areas[1:].max() / np.pi) ** 0.5
    side = max(3, round(0.4 * lobe)) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    near, _ = label_areas(cv2.dilate(nuclear.astype(np.uint8), disc) > 0)
    whole = np.bincount(near[nuclear]).max()
    return float(2 * np.sqrt(whole / np.pi / _USUAL_AREA))
