"""From overlapping answers to disjoint masks, each in one piece and without holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.segment.mask import Kind, Mask
from naturalize.segment.regions import bounds, fill_holes, largest_piece

OVERLAP = "overlap"
_FIRST: dict[Kind, int] = {"WBC": 0, "PLT": 1, "RBC": 2}
_KEPT = 0.5
_WHOLE = 0.95


def clean(pixels: NDArray[np.bool_]) -> tuple[Box, NDArray[np.bool_]] | None:
    """Return the largest piece of a mask (height, width), its holes filled, with its box.

    None where there is no pixel at all. Smaller pieces are dropped.

    >>> clean(np.array([[True, False, True, True]]))
    (Box(top=0, left=2, height=1, width=2), array([[ True,  True]]))
    """
    box = Box.around(pixels)
    piece = _largest_piece(pixels[box.slices])
    if piece is None:
        return None
    inner, kept = piece
    return inner.moved(box.top, box.left), fill_holes(kept)


def make_disjoint(masks: Sequence[Mask], shape: tuple[int, ...]) -> list[Mask | None]:
    """Give every pixel to one mask at most; the answer stands in the order of ``masks``.

    A shared pixel goes to a nucleated cell before a platelet before a red cell, then to the higher
    score, then to the one named first. What is left of a mask is cut down to its largest piece; a
    mask that keeps less than half of itself is None, one that lost more than a twentieth says
    ``"overlap"`` among its reasons.
    """
    taken = np.zeros(shape[:2], dtype=np.bool_)
    left: list[Mask | None] = [None] * len(masks)
    order = sorted(range(len(masks)), key=lambda i: (_FIRST[masks[i].kind], -masks[i].score, i))
    for i in order:
        rest = _without(masks[i], taken[masks[i].box.slices], shape)
        if rest is not None:
            taken[rest.box.slices] |= rest.pixels
            left[i] = rest
    return left


def touches_border(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box reaches the edge of an image of ``shape`` (height, width[, channels])."""
    return box.grown(1).clipped(*shape[:2]) != box.grown(1)


def _without(mask: Mask, taken: NDArray[np.bool_], shape: tuple[int, ...]) -> Mask | None:
    """Return what of ``mask`` nobody else holds; ``taken`` covers its box."""
    if not (taken & mask.pixels).any():
        return mask
    piece = _largest_piece(mask.pixels & ~taken)
    share = 0.0 if piece is None else np.count_nonzero(piece[1]) / mask.area_px
    if piece is None or share < _KEPT:
        return None
    inner, pixels = piece
    box = inner.moved(mask.box.top, mask.box.left)
    nucleus = None if mask.nucleus is None else mask.nucleus[inner.slices] & pixels
    reasons = tuple(dict.fromkeys((*mask.reasons, OVERLAP))) if share < _WHOLE else mask.reasons
    return replace(
        mask,
        box=box,
        pixels=pixels,
        nucleus=nucleus,
        touches_border=touches_border(box, shape),
        reasons=reasons,
    )


def _largest_piece(pixels: NDArray[np.bool_]) -> tuple[Box, NDArray[np.bool_]] | None:
    """Return the box and the pixels of the largest connected piece, None where there is none."""
    if not pixels.any():
        return None
    piece = largest_piece(pixels)
    box = Box.of(bounds(piece, 0))
    return box, piece[box.slices]
