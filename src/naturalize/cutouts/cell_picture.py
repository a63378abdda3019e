"""Small pictures of cells: where they were, and as they will be pasted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import Cutout
from naturalize.cutouts.plate import Plate
from naturalize.geometry import Box
from naturalize.images import Rgb

PICTURE_PX = 174
"""Side of a picture; small cells are enlarged to it."""
_PAPER = 245
_INK: dict[str, tuple[int, int, int]] = {
    "WBC": (0, 80, 200),
    "RBC": (160, 60, 0),
    "PLT": (0, 110, 70),
    "OBJ": (230, 120, 0),
}
_GAP_PX = 4


def square_around(box: Box, least_px: float) -> Box:
    """Return a square window centred on ``box``, a quarter larger, of at least ``least_px``."""
    side = max(1, round(max(1.25 * box.height, 1.25 * box.width, least_px)))
    top, left = box.top + (box.height - side) // 2, box.left + (box.width - side) // 2
    return Box(top, left, side, side)


def in_place(rgb: Rgb, window: Box, outline: NDArray[np.int32], kind: str) -> Rgb:
    """Return what ``rgb`` shows in a square ``window`` with an outline drawn over it.

    ``outline`` holds points (row, column) of the image, int32 (n, 2), perhaps none. What lies
    beyond the image is light grey.
    """
    seen = window.clipped(*rgb.shape[:2])
    crop = np.full((window.height, window.width, 3), _PAPER, dtype=np.uint8)
    crop[_within(seen, window).slices] = rgb[seen.slices]
    picture = _sized(crop)
    if len(outline):
        scale = PICTURE_PX / window.height
        points = (outline - (window.top, window.left) + 0.5) * scale
        curve = np.rint(points[:, ::-1] * 16).astype(np.int32)
        cv2.polylines(picture, [curve], True, _INK.get(kind, (0, 0, 0)), 2, cv2.LINE_AA, shift=4)
    return picture


def as_pasted(cutout: Cutout, window: Box) -> Rgb:
    """Return the cutout with its soft rim on its own plate, as seen in a square ``window``."""
    canvas = cutout.surface.evaluate_box(window, *cutout.donor_px)
    place = _within(cutout.box, window)
    weight = cutout.weight[..., None].astype(np.float32) / 255
    bare = canvas[place.slices]
    canvas[place.slices] = bare + weight * (cutout.pixels - bare)
    return _sized(np.rint(canvas).astype(np.uint8))


def plate_picture(plate: Plate) -> Rgb:
    """Return a plate shrunk to a square, its noise on it at full size."""
    light = plate.surface.evaluate(PICTURE_PX, PICTURE_PX)
    noise = plate.noise(PICTURE_PX, PICTURE_PX, rng=np.random.default_rng(0))
    return np.asarray(np.rint(light + noise).clip(0, 255), dtype=np.uint8)


def beside(left: Rgb, right: Rgb) -> Rgb:
    """Return two pictures of one height side by side."""
    gap = np.full((left.shape[0], _GAP_PX, 3), 255, dtype=np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def _within(box: Box, window: Box) -> Box:
    """Return ``box`` as seen from the corner of ``window``."""
    return Box(box.top - window.top, box.left - window.left, box.height, box.width)


def _sized(crop: Rgb) -> Rgb:
    shrinks = crop.shape[0] > PICTURE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    sized = cv2.resize(crop, (PICTURE_PX, PICTURE_PX), interpolation=how)
    return np.asarray(sized, dtype=np.uint8)
