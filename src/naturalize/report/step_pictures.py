"""Pictures of the steps one image goes through, each uint8 (height, width, 3)."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from naturalize.cutouts.cell_picture import as_pasted, in_place, square_around
from naturalize.cutouts.outline import outline_points, outline_text
from naturalize.cutouts.triage import TurnedDown
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface, optical_density
from naturalize.report.overlay import COLOURS, overlay
from naturalize.report.steps import Made, Parts

GAIN = 10
"""How much stronger than they are unevenness and noise are drawn."""
DEEPEST = 0.7
"""Optical density that is drawn brightest."""
_GREY = 128
_LINE_SHARE = 180
"""Pixels of the image's shorter side for each pixel of a line's width."""
_REFUSED = (70, 70, 70)
_WASH = 0.55


def plate_picture(parts: Parts) -> Rgb:
    """Return the bare slide without its noise."""
    return _rounded(parts.plate)


def unevenness_picture(parts: Parts) -> Rgb:
    """Return how the plate's light differs from its mean, ten times as strong, about grey."""
    plate = parts.plate
    return _rounded(_GREY + GAIN * (plate - plate.mean(axis=(0, 1))))


def light_picture(parts: Parts) -> Rgb:
    """Return how dense the image is, or on a dark background how bright, on a scale of colours.

    Black is bare slide; light yellow a density of :data:`DEEPEST`, or the most light given off.
    """
    if parts.background == "dark":
        light = (parts.rgb - parts.plate).mean(axis=2)
        share = light / max(float(light.max()), 1.0)
    else:
        share = optical_density(parts.rgb, parts.plate).mean(axis=2) / DEEPEST
    coloured = cv2.applyColorMap(_rounded(255 * share), cv2.COLORMAP_INFERNO)
    return np.asarray(coloured[..., ::-1])


def masks_picture(parts: Parts) -> Rgb:
    """Return the image, what is taken outlined, what is turned down paled and numbered from 1."""
    picture = parts.rgb.copy()
    for number, item in enumerate(parts.turned_down, start=1):
        if item.outline:
            _pale(picture, item)
            _write(picture, number, item.box, _REFUSED)
    return overlay(picture, parts.masks, thickness_px=_line_px(picture))


def cutout_pictures(parts: Parts, made: Made) -> tuple[Rgb, Rgb, Rgb]:
    """Return the subject where it was, its weight (white all, black none), and it on its plate."""
    cutout = made.subject
    window = square_around(cutout.box, 0)
    outline = outline_points(outline_text(cutout.mask, cutout.box.top, cutout.box.left))
    white = np.full_like(cutout.pixels, 255)
    silhouette = replace(cutout, pixels=white, surface=PlateSurface(np.zeros((3, 6))))
    return (
        in_place(parts.rgb, window, outline, cutout.kind),
        as_pasted(silhouette, window),
        as_pasted(cutout, window),
    )


def scene_picture(made: Made) -> Rgb:
    """Return the plate with the box and the number of each object that was drawn."""
    picture = _rounded(made.plate)
    for one in made.objects:
        colour = COLOURS[one.kind]
        box = one.box
        corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
        cv2.rectangle(picture, *corners, colour, _line_px(picture))
        _write(picture, one.number, box, colour)
    return picture


def noise_picture(made: Made) -> Rgb:
    """Return the plate's noise, ten times as strong, about a middle grey."""
    return _rounded(_GREY + GAIN * made.noise.astype(np.float32))


def _pale(picture: Rgb, item: TurnedDown) -> None:
    """Pale the inside of what was turned down and draw its outline thinly, in place."""
    points = outline_points(item.outline)[:, ::-1]
    inside = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(inside, [points], 1)
    own = inside > 0
    picture[own] = _rounded(picture[own] + _WASH * (255.0 - picture[own]))
    cv2.polylines(picture, [points], True, _REFUSED, 1, cv2.LINE_AA)


def _write(picture: Rgb, number: int, box: Box, colour: tuple[int, int, int]) -> None:
    """Write a number at the middle of a box, in place."""
    text, font, scale = str(number), cv2.FONT_HERSHEY_SIMPLEX, 0.5
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    row = box.top + (box.height + height) // 2
    column = box.left + (box.width - width) // 2
    cv2.putText(picture, text, (column, row), font, scale, colour, 1, cv2.LINE_AA)


def _line_px(picture: Rgb) -> int:
    return max(1, round(int(min(picture.shape[:2])) / _LINE_SHARE))


def _rounded(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Rgb:
    return np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
