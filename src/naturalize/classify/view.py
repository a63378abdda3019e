"""The square of a picture that the network is shown."""

from __future__ import annotations

from math import floor

import cv2
import numpy as np

from naturalize.classify.light import Colour, in_known_light, slide_colour
from naturalize.classify.reader_info import Scale
from naturalize.geometry import Box
from naturalize.images import Rgb


def square_at(row: float, column: float, side_px: int) -> Box:
    """Return the square of ``side_px`` whose centre lies at (row, column), in px.

    >>> square_at(10, 20, 8)
    Box(top=6, left=16, height=8, width=8)
    """
    return Box(floor(row - side_px / 2), floor(column - side_px / 2), side_px, side_px)


def centred_square(shape: tuple[int, ...], scale: Scale) -> Box:
    """Return the square in the middle of a picture that nothing was segmented in."""
    height, width = shape[:2]
    side = round(scale.crop_share * min(height, width))
    return Box((height - side) // 2, (width - side) // 2, side, side)


def subject_square(
    box: Box, diameter_px: float | None, shape: tuple[int, ...], scale: Scale
) -> Box:
    """Return what to show of the cell in ``box`` that a picture was taken of.

    One that lies as near the middle as cells of train images do is shown as it lies; any other is
    centred. ``diameter_px`` is that of the picture's red cells, None where there is none.
    """
    middle = centred_square(shape, scale)
    side = scale.side_px(diameter_px) if diameter_px else middle.height
    row, column = box.top + box.height / 2, box.left + box.width / 2
    off = np.hypot(row - shape[0] / 2, column - shape[1] / 2)
    if off * scale.crop_diameters <= scale.usual_offset * side:
        row, column = shape[0] / 2, shape[1] / 2
    return square_at(row, column, side)


def shown(rgb: Rgb, square: Box, input_px: int, scale: Scale, slide: Colour | None = None) -> Rgb:
    """Return :func:`cut_view` in the light of the train images.

    ``slide`` is the colour of the picture's bare slide, None where it is still to be measured.
    """
    view = cut_view(rgb, square, input_px)
    return in_known_light(view, slide or slide_colour(rgb), scale.slides)


def cut_view(rgb: Rgb, square: Box, input_px: int) -> Rgb:
    """Return what lies in ``square``, uint8 (``input_px``, ``input_px``, 3).

    Beyond the picture its border is mirrored. Shrinks by the mean of the pixels covered, enlarges
    linearly, as in training.

    >>> cut_view(np.zeros((30, 40, 3), np.uint8), Box(-5, -5, 20, 20), 16).shape
    (16, 16, 3)
    """
    inside = square.clipped(*rgb.shape[:2])
    seen = rgb[inside.slices]
    if (inside.height, inside.width) != (square.height, square.width):
        above, below = inside.top - square.top, square.bottom - inside.bottom
        left, right = inside.left - square.left, square.right - inside.right
        whole = cv2.copyMakeBorder(seen, above, below, left, right, cv2.BORDER_REFLECT)
        seen = np.asarray(whole, dtype=np.uint8)
    how = cv2.INTER_AREA if square.height > input_px else cv2.INTER_LINEAR
    view = cv2.resize(seen, (input_px, input_px), interpolation=how)
    return np.asarray(view, dtype=np.uint8)


def whole_view(rgb: Rgb, input_px: int) -> Rgb:
    """Return the largest square in the middle of a picture at the size of a view."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    return cut_view(rgb, Box((height - side) // 2, (width - side) // 2, side, side), input_px)
