"""Outlines brought to the edges that an image shows near them, at its own resolution.

The network sees 32 pixels a red cell, so where cells lie on one another, and only a faint line
parts them, its outlines are near the edge rather than on it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.cell_net import N_RAYS
from naturalize.segment.star_cells import StarCells

_REACHES = np.linspace(0.8, 1.2, 17, dtype=np.float32)
"""Where an edge is sought, in multiples of what the network tells."""
_FAR = 0.4 * ((_REACHES - 1) / 0.2) ** 2
"""What an edge must show more, the farther it lies from there."""
_BLUR, _STEP = 0.02, 0.03
"""By how much density is smoothed, and how far from an edge both its sides are told, in diameters
of a red cell."""
_BESIDE = 3
"""How many times what a ray shows is mixed with what both beside it show."""
_ANGLES = (np.arange(N_RAYS) + 0.5) * (2 * np.pi / N_RAYS)
_WAYS = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)], axis=1)[None, :, :, None]


def snapped(
    cells: StarCells, density: NDArray[np.float32], diameter_px: float, red_cell_density: float
) -> StarCells:
    """Return cells each of whose rays ends where density changes most, not far from where it did.

    ``density`` float32 (height, width) is what each pixel absorbs, ``red_cell_density`` what red
    cells do, ``diameter_px`` is that of a red cell.
    """
    if not len(cells):
        return cells
    smooth = cv2.GaussianBlur(np.ascontiguousarray(density), (0, 0), _BLUR * diameter_px)
    reach = cells.rays[..., None] * _REACHES
    inner, outer = (
        _along_rays(np.asarray(smooth, np.float32), cells, reach + way * diameter_px)
        for way in (-_STEP, _STEP)
    )
    shown = np.sqrt(np.minimum(np.abs(inner - outer) / np.float32(red_cell_density), 1)) - _FAR
    for _ in range(_BESIDE):
        shown = shown / 2 + (np.roll(shown, 1, axis=1) + np.roll(shown, -1, axis=1)) / 4
    return replace(cells, rays=cells.rays * _REACHES[shown.argmax(axis=2)])


def _along_rays(
    values: NDArray[np.float32], cells: StarCells, reach: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``values`` (height, width) at each ``reach`` (n, 32, m) of the cells' rays."""
    places = cells.centres[:, None, :, None] + reach[:, :, None] * _WAYS
    rows, columns = places.astype(np.float32).transpose(2, 0, 1, 3).reshape(2, -1, len(_REACHES))
    found = cv2.remap(values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(reach.shape)
