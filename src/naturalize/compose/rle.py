"""Masks as COCO's compressed run lengths (Lin et al. 2014), written without pycocotools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box


def run_lengths(pixels: NDArray[np.bool_], box: Box, shape: tuple[int, int]) -> list[int]:
    """Return lengths of runs down the columns of an image of ``shape``, empty and full in turn.

    ``pixels`` is bool of the shape of ``box``; all else is empty. The first run is empty ones.

    >>> run_lengths(np.array([[True], [True]]), Box(1, 1, 2, 1), (4, 3))
    [5, 2, 5]
    """
    height_px, width_px = shape
    strip = np.zeros((height_px, box.width), dtype=np.int8)
    strip[box.top : box.bottom] = pixels
    flat = np.concatenate([[0], strip.T.ravel(), [0]]).astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + box.left * height_px
    edges = np.concatenate([[0], changes, [height_px * width_px]])
    lengths = [int(length) for length in np.diff(edges)]
    return lengths[:-1] if lengths[-1] == 0 and len(lengths) > 1 else lengths


def compressed(lengths: list[int]) -> str:
    """Return run lengths as text: five bits a character, most runs as the step from two before.

    >>> compressed([5, 2, 5])
    '525'
    """
    text = []
    for place, length in enumerate(lengths):
        rest = length - lengths[place - 2] if place > 2 else length
        more = True
        while more:
            bits, rest = rest & 0x1F, rest >> 5
            more = rest != (-1 if bits & 0x10 else 0)
            text.append(chr(48 + (bits | 0x20 if more else bits)))
    return "".join(text)
