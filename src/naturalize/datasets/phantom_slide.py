"""The light side of the phantom: a slide's stain and plate, and how a camera sees them.

A brightfield microscope records transmitted light, I = I0 * exp(-OD) (Beer-Lambert), so densities
of objects that lie over each other add up and their transmittances multiply.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalize.images import Rgb
from naturalize.optics import PlateSurface

Floats = NDArray[np.float32]

HEIGHT_PX, WIDTH_PX = 363, 360
"""The size of PBC's main source."""

_STEPS = 1024  # per unit of optical density
_DEEPEST = 8


@dataclass(frozen=True)
class Slide:
    """What all images of one slide share.

    ``plate`` holds the coefficients of a :class:`~naturalize.optics.PlateSurface`; ``azure`` and
    ``eosin`` multiply the density (red, green, blue) of basic stain (nuclei, granules, cytoplasm)
    and of acid stain (haemoglobin, eosinophil granules). Red cells: ``red_radius`` in pixels,
    ``red_cells`` the mean number an image, ``pallor`` how much paler they are in the middle,
    ``crenation`` the share with spikes. ``edge_px`` is the width of a cell's soft edge (focus),
    ``noise`` the camera's standard deviation in grey levels.
    """

    plate: tuple[tuple[float, ...], ...]
    azure: tuple[float, ...]
    eosin: tuple[float, ...]
    red_radius: float
    red_cells: float
    pallor: float
    crenation: float
    edge_px: float
    noise: float


def sample_slide(rng: np.random.Generator) -> Slide:
    """Draw a slide as they vary within PBC's main source."""
    azure = rng.normal(1, 0.05) * rng.normal(1, 0.025, 3)
    eosin = rng.normal(1, 0.09) * rng.normal(1, 0.02, 3)
    level = np.array([254.8, 228.0, 202.0]) + rng.normal(0, (0.8, 1.8, 1.0))
    unevenness = rng.normal(0, 0.9, (3, 5))
    return Slide(
        plate=tuple(tuple(row) for row in np.column_stack([level, unevenness]).tolist()),
        azure=tuple(azure.tolist()),
        eosin=tuple(eosin.tolist()),
        red_radius=float(rng.normal(37.6, 1.5)),
        red_cells=float(rng.uniform(13, 20)),
        pallor=float(rng.uniform(0.2, 0.95)),
        crenation=float(rng.choice([0.0, 0.0, 0.0, 0.3])),
        edge_px=float(rng.uniform(2.0, 4.0)),
        noise=float(rng.uniform(1.1, 1.8)),
    )


def transmittance(density: Floats) -> Floats:
    """Return exp(-density), float32 of the same shape, read from a table.

    The table makes the result the same on every machine; its step is 1/1024, below a quarter of a
    grey level.

    >>> transmittance(np.zeros((1, 1), np.float32)).tolist()
    [[1.0]]
    """
    index = np.clip(density * np.float32(_STEPS), 0, _DEEPEST * _STEPS)
    table = _transmittance_table()
    return np.asarray(np.take(table, index.astype(np.int32)), dtype=np.float32)


def plate_image(slide: Slide) -> Floats:
    """Return the empty plate, float32 (HEIGHT_PX, WIDTH_PX, 3), in grey levels up to 255."""
    return PlateSurface(np.array(slide.plate)).evaluate(HEIGHT_PX, WIDTH_PX)


def expose(light: Floats, slide: Slide, *, rng: np.random.Generator) -> Rgb:
    """Return what the camera stores of ``light`` (grey levels): grainy noise, clipped at 255.

    The noise is blurred to PBC's measured grain (neighbouring pixels correlate by about .8), and
    mostly common to the three channels.
    """
    shape = light.shape[:2]
    grain = _blur(rng.standard_normal(shape, dtype=np.float32)) * np.float32(2.9 * slide.noise)
    tint = _blur(rng.standard_normal(shape, dtype=np.float32)) * np.float32(1.6 * slide.noise)
    seen = np.empty(light.shape, dtype=np.uint8)
    for channel in range(3):
        noise = grain + np.roll(tint, 40 * channel, axis=0) + np.float32(0.5)
        seen[..., channel] = np.clip(light[..., channel] + noise, 0, 255)
    return seen


def _blur(field: Floats) -> Floats:
    """Blur by (1, 3, 3, 1) / 8 along rows and columns, wrapping round."""
    for axis in (0, 1):
        middle = field + np.roll(field, 1, axis)
        outer = np.roll(field, -1, axis) + np.roll(field, 2, axis)
        field = (np.float32(3) * middle + outer) * np.float32(0.125)
    return field


@lru_cache(maxsize=1)
def _transmittance_table() -> Floats:
    table = [math.exp(-step / _STEPS) for step in range(_DEEPEST * _STEPS + 1)]
    return np.array(table, dtype=np.float32)
