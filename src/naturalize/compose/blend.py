"""How cutouts meet the plate.

================  ==================================================================================
transmittance     the slide's light times the cell's: no edge, no donor background; the darker of
                  two cells that overlap
emission          on a dark background: the light of all objects added to the background's
alpha             the paper's hard RGBA cut
feather           the paper's cut with a soft rim: a seam less sharp, the donor's background in it
poisson           seamless: the donor's gradients, tied to the slide at the end of the rim
================  ==================================================================================

Only sums, differences, products and quotients of single elements are used on floats, and powers
through a table of whole numbers, so that every machine renders the same pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.membrane import membrane
from naturalize.compose.scene import UNCHANGED, Density
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box
from naturalize.optics import Background

_STEPS = 1024
_MAX_TRANSMITTANCE = 1.5
_UNIT = 1 << 16
_CLEAR = np.float32(0.92)
"""Transmittance from which a pixel of a rim shows bare slide."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One oriented object: visible ``box`` on the canvas, ``light`` (h, w, 3), ``weight`` (h, w).

    ``light`` is the transmittance, float32, its density already changed, or on a dark background
    the light given off; ``pixels`` the donor's pixels with the same change. Where a blend looks at
    one of them alone, the other is that one again. A ``ground`` is no object but what lies below
    them all, on the whole canvas.
    """

    box: Box
    light: NDArray[np.float32]
    pixels: NDArray[np.float32]
    weight: NDArray[np.uint8]
    ground: bool = False

    def seen_in(self, window: Box) -> Layer:
        """Return the layer placed on the part of the canvas inside ``window``."""
        top, left = self.box.top - window.top, self.box.left - window.left
        return replace(self, box=Box(top, left, self.box.height, self.box.width))


Blend = Callable[[NDArray[np.float32], NDArray[np.int8], Iterable[Layer]], NDArray[np.float32]]


def transmittance(
    plate: NDArray[np.float32], noise: NDArray[np.int8], layers: Iterable[Layer]
) -> NDArray[np.float32]:
    """Return plate times the light of all objects, noise only where no object lies.

    Objects carry their own noise. Where two absorb the darker is seen, not their product: cells
    that overlap on a dried smear make room for each other, and their densities do not add up (real
    overlaps: ``docs/results/compose``). float32 (H, W, 3).
    """
    light = np.ones_like(plate)
    bare = np.ones(plate.shape[:2], dtype=np.float32)
    for layer in layers:
        share = layer.weight / np.float32(FULL)
        own = layer.light - 1
        own *= share[..., None]
        own += 1
        bare[layer.box.slices] *= 1 - share
        if layer.ground:
            light = own
            continue
        below = light[layer.box.slices]
        brightening = np.maximum(own, below)
        np.maximum(brightening, 1, out=brightening)
        np.minimum(own, below, out=own)
        np.multiply(own, brightening, out=below)
    for channel in range(3):
        plane = light[..., channel]
        plane *= plate[..., channel]
        plane += noise[..., channel] * bare
    return light


def emission(
    plate: NDArray[np.float32], noise: NDArray[np.int8], layers: Iterable[Layer]
) -> NDArray[np.float32]:
    """Return the plate with the light that all objects give off added, float32 (H, W, 3).

    Emission adds: where two objects lie over one another the light of both is seen, as with
    fluorescence. Objects carry their own noise, so the plate's is seen only where none lies.
    """
    image = plate.copy()
    bare = np.ones(plate.shape[:2], dtype=np.float32)
    for layer in layers:
        share = layer.weight / np.float32(FULL)
        image[layer.box.slices] += share[..., None] * layer.light
        bare[layer.box.slices] *= 1 - share
    return image + noise * bare[..., None]


def alpha(
    plate: NDArray[np.float32], noise: NDArray[np.int8], layers: Iterable[Layer]
) -> NDArray[np.float32]:
    """Return the paper's hard cut, float32 (H, W, 3): donor pixels replace the plate's."""
    image = plate + noise
    for layer in layers:
        own = (layer.weight == FULL)[..., None]
        below = image[layer.box.slices]
        below[:] = np.where(own, layer.pixels, below)
    return image


def feather(
    plate: NDArray[np.float32], noise: NDArray[np.int8], layers: Iterable[Layer]
) -> NDArray[np.float32]:
    """Return the paper's cut with a soft rim, float32 (H, W, 3): donor pixels mixed by weight."""
    image = plate + noise
    for layer in layers:
        share = layer.weight / np.float32(FULL)
        below = image[layer.box.slices]
        below += share[..., None] * (layer.pixels - below)
    return image


def poisson(
    plate: NDArray[np.float32], noise: NDArray[np.int8], layers: Iterable[Layer]
) -> NDArray[np.float32]:
    """Return a seamless paste, float32 (H, W, 3): the donor's gradients, the slide at the rim.

    Poisson image editing (Perez et al. 2003): what donor and bare slide differ by along the end of
    the rim is spread smoothly over the object. Nothing is tied where a neighbour lay on the donor
    or lies on the canvas, or its stain would bleed in.
    """
    layers = list(layers)
    ground = [layer for layer in layers if layer.ground]
    bare = feather(plate, noise, ground)
    image = np.copy(bare)
    taken = np.zeros(plate.shape[:2], dtype=np.bool_)
    for layer in ground:
        taken[layer.box.slices] |= (layer.weight == FULL) & (layer.light < _CLEAR).any(axis=2)
    for layer in layers[len(ground) :]:
        window = layer.box.slices
        own = layer.weight == FULL
        region = own | ((layer.weight > 0) & ~taken[window])
        clear = (layer.light >= _CLEAR).all(axis=2)
        tied = region & ~own & clear & _outermost(layer.weight > 0)
        offset = membrane(bare[window] - layer.pixels, tied, region)
        image[window] = np.where(region[..., None], layer.pixels + offset, image[window])
        taken[window] |= own
    return image


BLENDS: dict[str, Blend] = {
    "transmittance": transmittance,
    "emission": emission,
    "alpha": alpha,
    "feather": feather,
    "poisson": poisson,
}
BLENDS_ON: dict[Background, tuple[str, ...]] = {
    "light": ("transmittance", "alpha", "feather", "poisson"),
    "dark": ("emission", "alpha", "feather"),
}
"""The blends that suit what objects lie on."""


def change_density(light: NDArray[np.float32], density: Density) -> NDArray[np.float32]:
    """Return ``light`` (h, w, 3) with the optical density of each channel multiplied.

    >>> change_density(np.full((1, 1, 3), 0.25, np.float32), (1.0, 2.0, 0.5)).tolist()
    [[[0.25, 0.0625, 0.5]]]
    """
    if density == UNCHANGED:
        return light
    changed = light * np.float32(_STEPS)
    places = np.rint(changed, out=changed).astype(np.intp)
    for channel, factor in enumerate(density):
        if factor == 1.0:
            changed[..., channel] = light[..., channel]
        else:
            table, plane = _powers(factor), changed[..., channel]
            table.take(places[..., channel], out=plane, mode="clip")
    return changed


def _outermost(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of ``region`` beside one that is not, or at the window's end."""
    wide = np.pad(region, 1)
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    return region & ~inner


@lru_cache(maxsize=4096)
def _powers(factor: float) -> NDArray[np.float32]:
    """Return t ** factor for t = 0, 1/1024, ... up to the cap, rounded to 1/65536."""
    t = np.arange(int(_MAX_TRANSMITTANCE * _STEPS) + 1) / _STEPS
    return (np.rint(t**factor * _UNIT) / _UNIT).astype(np.float32)
