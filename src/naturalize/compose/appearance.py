"""A cell as it might also have been: stained, sized, bent and focused a little otherwise.

Pure functions on the arrays of one cutout, or of one picture. As everywhere in rendering, floats
meet only sums, differences, products and quotients of single elements; logarithms and powers come
from rounded tables, so that every machine renders the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.scene import UNSTAINED, StainMatrix, Variation
from naturalize.cutouts.cutout import FULL

KNOTS = 4
"""Knots along each side of the field that bends a cell."""
Floats = NDArray[np.float32]
_Counts = dict[int, NDArray[np.floating]]
_Kernel = Callable[[Floats], _Counts]
_STEPS = 4096
_MAX_LIGHT = 1.5
_DENSITY_STEPS = 2048
_LEAST_DENSITY, _MOST_DENSITY = -1, 12
_UNIT = 1 << 16
_LIGHT_LEVELS = np.maximum(np.arange(int(_MAX_LIGHT * _STEPS) + 1), 1) / _STEPS
_DENSITY_LEVELS = np.arange(_LEAST_DENSITY * _DENSITY_STEPS, _MOST_DENSITY * _DENSITY_STEPS + 1)
_DENSITY_OF = (np.rint(-np.log(_LIGHT_LEVELS) * _UNIT) / _UNIT).astype(np.float32)
_LIGHT_OF = (np.rint(np.exp(-_DENSITY_LEVELS / _DENSITY_STEPS) * _UNIT) / _UNIT).astype(np.float32)


def restained(light: Floats, stain: StainMatrix) -> Floats:
    """Return ``light`` (h, w, 3) with its optical densities multiplied by a matrix.

    Row i tells how much of the density of red, green and blue the new density of channel i takes.

    >>> swapped = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 2.0))
    >>> restained(np.float32([[[0.5, 0.25, 0.5]]]), swapped).round(3).tolist()
    [[[0.25, 0.5, 0.25]]]
    """
    if stain == UNSTAINED:
        return light
    density = _DENSITY_OF[np.rint(np.clip(light, 0, _MAX_LIGHT) * _STEPS).astype(np.intp)]
    red, green, blue = (density[..., channel] for channel in range(3))
    mixed = np.stack([r * red + g * green + b * blue for r, g, b in stain], axis=-1)
    steps = np.clip(mixed, _LEAST_DENSITY, _MOST_DENSITY) - np.float32(_LEAST_DENSITY)
    return np.asarray(_LIGHT_OF[np.rint(steps * _DENSITY_STEPS).astype(np.intp)])


def moved(values: Floats, variation: Variation) -> Floats:
    """Return light or pixels (h, w, 3) of a cell scaled and bent, by cubic interpolation.

    The array grows on every side alike as far as the cell may reach.
    """
    if not variation.moves:
        return values
    rows, columns = _sources(values.shape, variation)
    return np.maximum(_sampled(values, rows, columns, _cubic), 0)


def moved_weight(weight: NDArray[np.uint8], variation: Variation) -> NDArray[np.uint8]:
    """Return the weight (h, w) of a cell scaled and bent, as :func:`moved` does with its light.

    A pixel is the object's own where half of it or more is; the rim lies around.
    """
    if not variation.moves:
        return weight
    rows, columns = (places + 1 for places in _sources(weight.shape, variation))
    wide = np.pad(weight, 1)[..., None].astype(np.float32)
    own = (wide == FULL).astype(np.float32)
    inside, faded = (_sampled(part, rows, columns, _linear)[..., 0] for part in (own, wide))
    rim = np.minimum(np.rint(faded), FULL - 1)
    return np.where(inside >= 0.5, np.float32(FULL), rim).astype(np.uint8)


def refocused(image: Floats, strength: float) -> Floats:
    """Return an image (H, W, 3) blurred by ``strength``, or sharpened where that is below 0.

    1 gives the binomial blur 1, 2, 1 along both axes, -1 adds all that it takes away.

    >>> refocused(np.float32([[[0], [4], [0]]]), 0.5).ravel().tolist()
    [0.5, 3.0, 0.5]
    """
    return image + np.float32(strength) * (blurred(image) - image) if strength else image


def blurred(image: Floats, *, step: int = 1) -> Floats:
    """Return an image (H, W, ...) blurred by 1, 2, 1 along both axes, ``step`` px apart."""
    for axis in (0, 1):
        side = image.shape[axis]
        places = np.arange(-step, side + step).clip(0, side - 1)
        low, high = (np.take(image, part, axis=axis) for part in (places[:side], places[-side:]))
        image = (low + 2 * image + high) / np.float32(4)
    return image


def _sources(
    shape: tuple[int, ...], variation: Variation
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where each pixel of a moved cell lies in its cutout: rows and columns, (h, w)."""
    beyond = 1 + ceil(max(map(abs, variation.knots), default=0.0) / variation.size)
    sides = [round(side * variation.size) + 2 * beyond for side in shape[:2]]
    down, across = (
        (np.arange(side) + 0.5 - side / 2) / variation.size + own / 2 - 0.5
        for side, own in zip(sides, shape, strict=False)
    )
    rows, columns = np.meshgrid(down, across, indexing="ij")
    if not variation.knots:
        return rows, columns
    knots = np.array(variation.knots).reshape(KNOTS, KNOTS, 2)
    return rows + _field(knots[..., 0], sides), columns + _field(knots[..., 1], sides)


def _field(knots: NDArray[np.float64], sides: list[int]) -> NDArray[np.float64]:
    """Return a smooth field (h, w), a quadratic B-spline: nowhere beyond its knots' values."""
    down, across = (_spline(side) for side in sides)
    field = np.zeros(sides)
    for row, up in zip(knots, down, strict=True):
        for knot, along in zip(row, across, strict=True):
            field += knot * (up[:, None] * along)
    return field


def _spline(side: int) -> NDArray[np.float64]:
    """Return how much each of the knots counts at each pixel, float64 (knots, side)."""
    at = (np.arange(side) + 0.5) / side * (KNOTS - 2)
    first = np.minimum(at.astype(np.intp), KNOTS - 3)
    f = at - first
    counts = np.zeros((KNOTS, side))
    for k, count in enumerate(((1 - f) * (1 - f) / 2, 0.5 + f - f * f, f * f / 2)):
        counts[first + k, np.arange(side)] = count
    return counts


def _linear(f: Floats) -> _Counts:
    return {0: 1 - f, 1: f}


def _cubic(f: Floats) -> _Counts:
    square, cube = f * f, f * f * f
    return {
        -1: (2 * square - cube - f) / 2,
        0: (3 * cube - 5 * square + 2) / 2,
        1: (4 * square - 3 * cube + f) / 2,
        2: (cube - square) / 2,
    }


def _sampled(
    values: Floats, rows: NDArray[np.float64], columns: NDArray[np.float64], kernel: _Kernel
) -> Floats:
    """Return values (h, w, c) between pixels; beyond the array its border goes on."""
    top, left = np.floor(rows), np.floor(columns)
    down, across = (
        kernel((rows - top).astype(np.float32)),
        kernel((columns - left).astype(np.float32)),
    )
    total = np.zeros((*rows.shape, values.shape[2]), dtype=np.float32)
    for i, up in down.items():
        row = np.clip(top + i, 0, values.shape[0] - 1).astype(np.intp)
        for j, along in across.items():
            column = np.clip(left + j, 0, values.shape[1] - 1).astype(np.intp)
            total += (up * along)[..., None] * values[row, column]
    return total
