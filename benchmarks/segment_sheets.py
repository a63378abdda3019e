"""Sheets of numbered crops to be judged by eye, each bare and with its outline.

They show real images, so they go to a folder that git ignores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask, Segmenter
from segment_draw import Row, current_masks, drawn_mask

TILE_PX, CAPTION_PX, GAP_PX = 184, 15, 12
COLUMNS, LINES = 4, 6
MARGIN_SHARE, MARGIN_PX = 0.3, 10
OUTLINE = (0, 255, 60)
OUTSIDE = 110


def write_sheets(
    rows: Sequence[Row], segmenter: Segmenter, data: Path, folder: Path, name: str
) -> list[Path]:
    """Write the sheets of a draw, 24 masks each, and an empty table for judgements."""
    tiles = {}
    for row, rgb, masks in current_masks(rows, segmenter, data):
        mask = drawn_mask(row, masks)
        if mask is None and row.kind:
            raise InputError(name, "the masks that were drawn", f"another one for {row.number}")
        tiles[row.number] = pair(row, rgb, mask)
    folder.mkdir(parents=True, exist_ok=True)
    written = write_pages([tiles[number] for number in sorted(tiles)], folder, name)
    template = ["number,good,fault", *(f"{r.number}," if r.kind else f"{r.number},0,not found"
                                       for r in rows)]  # fmt: skip
    (folder / f"{name}-judge.csv").write_text("\n".join(template) + "\n")
    return written


def write_pages(
    tiles: Sequence[Rgb], folder: Path, name: str, *, columns: int = COLUMNS, lines: int = LINES
) -> list[Path]:
    """Write tiles, numbered from 1, 24 on a sheet unless told otherwise."""
    size, written = columns * lines, []
    for start in range(0, len(tiles), size):
        some = tiles[start : start + size]
        written.append(folder / f"{name}-{start + 1:03d}-{start + len(some):03d}.png")
        written[-1].write_bytes(images.encode_png(sheet(some, columns=columns)))
    return written


def sheet(tiles: Sequence[Rgb], *, columns: int = COLUMNS) -> Rgb:
    """Put tiles of one size side by side, four in a line unless told otherwise."""
    height, width = tiles[0].shape[:2]
    lines = -(-len(tiles) // columns)
    canvas = np.full((lines * height, columns * (width + GAP_PX) - GAP_PX, 3), 255, dtype=np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * height, i % columns * (width + GAP_PX)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def pair(row: Row, rgb: Rgb, mask: Mask | None) -> Rgb:
    """Return the crop twice, bare and outlined, under the row's number and kind."""
    frame = _frame(row.box if mask is not None else Box(0, 0, *rgb.shape[:2]))
    bare = _enlarged(_cropped(rgb, frame, OUTSIDE), cv2.INTER_CUBIC)
    outlined = bare.copy()
    if mask is not None:
        whole = mask.to_image(rgb.shape).astype(np.uint8)
        pixels = _enlarged(_cropped(whole, frame, 0), cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, contours, -1, OUTLINE, 1)
    caption = np.full((CAPTION_PX, 2 * TILE_PX, 3), 255, dtype=np.uint8)
    words = f"{row.number} {row.kind or 'no central cell'}"
    cv2.putText(caption, words, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([caption, np.hstack([bare, outlined])])


def _frame(box: Box) -> Box:
    """Return a square around the box, with some of its surroundings."""
    side = round(max(box.height, box.width) * (1 + 2 * MARGIN_SHARE)) + 2 * MARGIN_PX
    top = box.top + (box.height - side) // 2
    left = box.left + (box.width - side) // 2
    return Box(top, left, side, side)


def _cropped(pixels: NDArray[np.uint8], frame: Box, outside: int) -> NDArray[np.uint8]:
    """Return the frame's pixels; what lies beyond the image gets the value ``outside``."""
    inside = frame.clipped(*pixels.shape[:2])
    crop = np.full((frame.height, frame.width, *pixels.shape[2:]), outside, dtype=np.uint8)
    top, left = inside.top - frame.top, inside.left - frame.left
    crop[top : top + inside.height, left : left + inside.width] = pixels[inside.slices]
    return crop


def _enlarged(pixels: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    shrinks = pixels.shape[0] > TILE_PX and way == cv2.INTER_CUBIC
    size = (TILE_PX, TILE_PX)
    return np.asarray(
        cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else way), dtype=np.uint8
    )
