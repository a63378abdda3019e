"""Outlines of masks drawn over an image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from naturalize.images import Rgb
from naturalize.segment import Kind, Mask

COLOURS: dict[Kind, tuple[int, int, int]] = {
    "WBC": (0, 80, 200),
    "RBC": (213, 94, 0),
    "PLT": (0, 130, 90),
    "OBJ": (230, 120, 0),
}
NUCLEUS = (240, 228, 66)


def overlay(rgb: Rgb, masks: Sequence[Mask], *, thickness_px: int = 2) -> Rgb:
    """Return a copy of ``rgb`` with each mask outlined in the colour of its kind."""
    drawn = rgb.copy()
    for mask in masks:
        _outline(drawn, mask.to_image(rgb.shape), COLOURS[mask.kind], thickness_px)
        if mask.nucleus is not None:
            nucleus = np.zeros(rgb.shape[:2], dtype=np.bool_)
            nucleus[mask.box.slices] = mask.nucleus
            _outline(drawn, nucleus, NUCLEUS, thickness_px)
    return drawn


def _outline(
    drawn: Rgb,
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    colour: tuple[int, int, int],
    thickness_px: int,
) -> None:
    contours, _ = cv2.findContours(
        pixels.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(drawn, contours, -1, colour, thickness_px, cv2.LINE_AA)
