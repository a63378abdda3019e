"""What a stained smear absorbs: foreground, and how much of it is nuclear stain.

Haemoglobin absorbs blue about as strongly as red light, the azure and methylene blue of a nucleus
two to three times less. Red optical density minus the part haemoglobin explains therefore shows
nuclei, and hardly any red cell, whatever the scanner's brightness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import optics
from naturalize.images import Rgb
from naturalize.quantiles import median, percentiles

_MIN_DENSITY = 0.02
_COHERENT_SHARE = 0.3
FOREGROUND_SHARE = 0.3
"""Density of the foreground at least, in units of the red cells' own."""
NO_HAEMOGLOBIN = 0.42
"""Purple share of density from which a place or a body is no red cell's."""
BLUE_CYTOPLASM = 0.36
"""Purple share of the density of cytoplasm from which it is plainly no haemoglobin."""
_MAX_HAEMOGLOBIN_RATIO = 1.2
_NUCLEAR_DEPTH = 2.5
_SAME_STAIN = 1.3
_GREEN_OVER_RED = 1.05
_RED_INK = (4.0, 1.3)
_BLUISH = 0.22
_WHITE = 254
_NOTHING = np.float32(1e-6)


@dataclass(frozen=True, eq=False)
class Stain:
    """The absorbing part of one image.

    ``density`` is the optical density, float32 (height, width, 3), lightly smoothed;
    ``foreground`` bool (height, width), every pixel that is not bare slide; ``purple`` float32
    (height, width), the density that haemoglobin cannot explain; ``red_cell_density`` the median
    green density of the foreground that is not purple, the unit other densities are told in. On an
    ``overexposed`` picture the slide is white: pale stain absorbs more than can be told.
    """

    density: NDArray[np.float32]
    foreground: NDArray[np.bool_]
    purple: NDArray[np.float32]
    red_cell_density: float
    overexposed: bool = False

    def window(self, place: tuple[slice, slice]) -> Stain:
        """Return the part of the image at ``place`` (rows, columns)."""
        return replace(
            self,
            density=self.density[place],
            foreground=self.foreground[place],
            purple=self.purple[place],
        )

    def is_purple(self, pixels: NDArray[np.bool_], share: float) -> bool:
        """Whether more than a share of what a body absorbs, bool (height, width), is purple."""
        return bool(self.purple[pixels].sum() > share * self.density[..., 1][pixels].sum())

    def smoothed(self, sigma_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return density in green, and the purple share of it, both (height, width), smoothed."""
        density, purple = (
            np.asarray(cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), sigma_px), np.float32)
            for plane in (self.density[..., 1], self.purple)
        )
        return density, np.asarray(purple / np.maximum(density, _NOTHING), dtype=np.float32)

    @property
    def bluish(self) -> NDArray[np.bool_]:
        """Foreground that haemoglobin does not colour: most nuclei, cytoplasm and platelets."""
        blue = self.foreground & (self.purple > _BLUISH * self.density[..., 1])
        return _cleaned(blue)


def measure_stain(rgb: Rgb) -> Stain | None:
    """Separate stain from slide.

    None where the image shows no plain light slide, or only that, or where what lies on it has not
    the colour of a blood stain: haemoglobin, eosin and azure all absorb more green than red light.
    Ink, and anything in a greyscale picture, does not.
    """
    background, surface = optics.find_slide(rgb)
    if background.all() or not _is_coherent(background):
        return None
    plate = surface.interpolated(*rgb.shape[:2])
    smooth = np.asarray(cv2.GaussianBlur(rgb, (5, 5), 1.2), dtype=np.uint8)
    density = optics.optical_density(smooth, plate)
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    stained = ~background & (green > _MIN_DENSITY)
    if np.count_nonzero(stained) < 20:
        return None
    if _is_ink(*cv2.mean(density, stained.view(np.uint8))[:3]):
        return None
    sparse = np.flatnonzero(stained)[:: 1 + np.count_nonzero(stained) // 5000]
    purple = red - _haemoglobin_ratio(density.reshape(-1, 3)[sparse]) * blue
    shades = purple.flat[sparse]
    plain = shades < 0.25 * percentiles(shades, 98)[0]
    unit = float(median(green.flat[sparse[plain if plain.any() else ...]]))
    deepest = _deepest(density)
    foreground = ~background & (deepest > FOREGROUND_SHARE * unit)
    overexposed = bool(surface.coefficients[1, 0] >= _WHITE)
    return Stain(density, _cleaned(foreground), purple, unit, overexposed)


def _deepest(density: NDArray[np.float32]) -> NDArray[np.float32]:
    # Many times as fast as density.max(axis=2).
    return np.maximum(np.maximum(density[..., 0], density[..., 1]), density[..., 2])


def _haemoglobin_ratio(density: NDArray[np.float32]) -> float:
    """Return the ratio of red to blue density in red cells, from densities (n, 3) of all stain.

    Red cells have the lowest ratio and are most of the stain; where they are few, a nucleus, dark
    as nothing else, tells the stain's colour, and its ratio is over twice that of red cells.
    """
    ratio = density[:, 0] / (np.maximum(density[:, 2], 0) + np.float32(0.01))
    low = max(float(percentiles(ratio, 30)[0]), 0.0)
    usual = float(median(ratio[ratio <= _SAME_STAIN * low]))
    green = density[:, 1]
    dark = green > percentiles(green, 97)[0]
    if dark.sum() < 10 or median(green[dark]) < _NUCLEAR_DEPTH * median(green):
        return min(usual, _MAX_HAEMOGLOBIN_RATIO)
    nuclear = float(median(ratio[dark]))
    return min(usual, nuclear / 2) if nuclear > 0 else usual


def _is_ink(red: float, green: float, blue: float) -> bool:
    """Whether densities are those of black, blue or red ink rather than of a stain.

    Red ink absorbs green and blue alike and hardly any red.
    """
    over_red, over_blue = _RED_INK
    return green < _GREEN_OVER_RED * red or (green > over_red * red and green < over_blue * blue)


def _is_coherent(background: NDArray[np.bool_]) -> bool:
    """Whether the slide forms areas, as it does on smears, not single pixels, as in noise."""
    inner = cv2.erode(background.astype(np.uint8), np.ones((3, 3), np.uint8))
    return bool(np.count_nonzero(inner) > _COHERENT_SHARE * np.count_nonzero(background))


def _cleaned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without single stray pixels and hairlines."""
    # What cv2.medianBlur gives for zeros and ones, six times as fast.
    count = cv2.boxFilter(
        mask.view(np.uint8), -1, (5, 5), normalize=False, borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(count > 12)
