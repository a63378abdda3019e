"""Heat as a picture, by itself and over the image it explains."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from naturalize.explain.score_cam import Heat
from naturalize.images import Rgb

Colours = Literal["jet", "viridis"]
COLOURS: dict[Colours, int] = {"jet": cv2.COLORMAP_JET, "viridis": cv2.COLORMAP_VIRIDIS}
"""``jet`` as in the paper; ``viridis`` for eyes that tell red from green badly, and for print."""


def painted(heat: Heat, side: int, colours: Colours) -> Rgb:
    """Return heat in [0, 1] as colours, enlarged to uint8 (``side``, ``side``, 3)."""
    large = np.clip(cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR), 0, 1)
    levels = np.rint(255 * large).astype(np.uint8)
    found = cv2.applyColorMap(levels, COLOURS[colours])
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def laid_over(square: Rgb, colour: Rgb) -> Rgb:
    """Return the mean of a square and the colours of its heat, both uint8 (S, S, 3)."""
    return np.asarray(cv2.addWeighted(square, 0.5, colour, 0.5, 0), np.uint8)
