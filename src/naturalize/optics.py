"""Transmitted light: what the bare slide looks like, and how much of it a cell lets through.

A brightfield image is I = plate * transmittance (Beer-Lambert); the optical density is
-log10(transmittance). Everything here works on the encoded values 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.quantiles import median, percentiles

Background = Literal["light", "dark"]
"""What objects lie on: a light slide they take light from, or darkness they shine in."""

TERMS = ("1", "y", "x", "y*y", "x*y", "x*x")
_MIN_PIXELS = 50
_MAX_FIT_PIXELS = 2000
_TRIMS = 3
_SEED_PIXELS = 15_000
_EVERY = 3
_MOST_FITS, _GROWING = 8, 1.1
"""Fits of the slide at most, and by how much what is found must grow for a third and later one."""
_GREY, _DARKEST, _LEAST_SHADED, _LEAST_COLOURED = 0.05, 0.5, 0.15, 0.02
"""Of what a lens darkens: by how much its transmittance differs between channels, how low it is,
and shares of an image that it covers, and that other things do: on a grey picture nothing tells."""
_COARSE = 8
_STRIP = 128
"""Rows computed at once: few enough for a processor's cache."""
_PEAK_SHARE = 0.15
_MIN_SLIDE_SHARE = 0.01
_MIN_SLIDE_VALUE = 70
_NINE = np.arange(-8, 9, 2) / 9
_LOG10 = np.log10(np.maximum(np.arange(256), 1)).astype(np.float32)
_LOG10_OF_E = np.float32(np.log10(np.e))


@dataclass(frozen=True, eq=False)
class PlateSurface:
    """The slide without cells: one second-order surface per channel.

    ``coefficients`` is float64 of shape (3, 6): red, green, blue by :data:`TERMS`, where y and x
    are pixel centres scaled to [-1, 1] over the canvas.

    >>> PlateSurface(np.array([[200.0, 0, 10, 0, 0, 0]] * 3)).evaluate(1, 2)[0, :, 0].tolist()
    [195.0, 205.0]
    """

    coefficients: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape, dtype = self.coefficients.shape, self.coefficients.dtype
        if shape != (3, len(TERMS)) or dtype != np.float64:
            raise ValueError(f"coefficients: expected float64 (3, 6), got {dtype} {shape}")
        self.coefficients.flags.writeable = False

    def evaluate(self, height_px: int, width_px: int) -> NDArray[np.float32]:
        """Return the surface on a whole canvas: float32 (height, width, 3), within [1, 255]."""
        return self.evaluate_box(Box(0, 0, height_px, width_px), height_px, width_px)

    def evaluate_box(self, box: Box, height_px: int, width_px: int) -> NDArray[np.float32]:
        """Return the part of :meth:`evaluate` inside ``box``, bit for bit.

        A box that reaches beyond the canvas continues the surface.
        """
        planes = self.evaluate_planes(box, height_px, width_px)
        return np.asarray(cv2.merge(list(planes)), dtype=np.float32)

    def evaluate_planes(self, box: Box, height_px: int, width_px: int) -> NDArray[np.float32]:
        """Return :meth:`evaluate_box` channel by channel, float32 (3, height, width).

        Only sums and products of single elements are used, so every machine gives the same values.
        """
        y = _all_centred(box.top, box.bottom, height_px)[:, None]
        x = _all_centred(box.left, box.right, width_px)
        c, cy, cx, cyy, cxy, cxx = self.coefficients.T[:, :, None, None]
        along = (c + cx * x + cxx * x * x).astype(np.float32)
        across = (cy * y + cyy * y * y).astype(np.float32)
        tilt, x = (cxy * y).astype(np.float32), x.astype(np.float32)
        planes = np.empty((3, box.height, box.width), dtype=np.float32)
        for top in range(0, box.height, _STRIP):
            rows = np.s_[:, top : top + _STRIP]
            strip = np.add(along, across[rows], out=planes[rows])
            strip += tilt[rows] * x
            np.clip(strip, 1, 255, out=strip)
        return planes

    @lru_cache(maxsize=2)  # noqa: B019 -- two images' worth, and asked for twice in a row
    def interpolated(self, height_px: int, width_px: int) -> NDArray[np.float32]:
        """Return :meth:`evaluate` linearly interpolated between every eighth pixel.

        Ten times as fast and, on a slide lit as slides are, within a fraction of a grey level.
        """
        if min(height_px, width_px) < 32 * _COARSE:
            fine = self.evaluate(height_px, width_px)
        else:
            coarse = self.evaluate(-(-height_px // _COARSE), -(-width_px // _COARSE))
            fine = np.asarray(cv2.resize(coarse, (width_px, height_px)), dtype=np.float32)
        fine.flags.writeable = False
        return fine


def estimate_background(rgb: Rgb, background: Background = "light") -> NDArray[np.bool_]:
    """Return bool (height, width): the pixels that show the bare slide; see :func:`find_slide`.

    A dark background is found as the light slide of the negative.
    """
    return find_slide(rgb if background == "light" else 255 - rgb)[0]


def find_slide(rgb: Rgb) -> tuple[NDArray[np.bool_], PlateSurface]:
    """Return the pixels that show the bare slide, bool (height, width), and a surface near them.

    The slide's colour is the brightest well-filled peak of the green histogram. A surface is
    fitted to that peak, then every pixel near the surface in all three channels is taken, and the
    fit repeated until it finds no more, so uneven light is followed; where a lens darkens the
    corners much, what is as grey as the slide is taken in. Images that have no light, even
    background give no pixel at all, or few.
    """
    height, width = rgb.shape[:2]
    nothing = np.zeros((height, width), dtype=np.bool_), _flat(np.full(3, 255.0))
    if height * width < _MIN_PIXELS:
        return nothing
    smooth = np.asarray(cv2.blur(rgb, (3, 3)), dtype=np.uint8)
    step = max(1, round((height * width / _SEED_PIXELS) ** 0.5))
    small = smooth[step // 2 :: step, step // 2 :: step]
    seed = _slide_seed(small)
    if seed is None:
        return nothing
    for turn in range(_MOST_FITS):
        surface = fit_plate(small, seed)
        plate = surface.interpolated(*small.shape[:2])
        off = _distance(small, plate)
        allowed = _tolerance(off.reshape(-1, 3)[np.flatnonzero(seed)[::_EVERY]])
        before, seed = np.count_nonzero(seed), _all_within(off, allowed)
        if np.count_nonzero(seed) < _MIN_SLIDE_SHARE * seed.size:
            return nothing
        if not turn:
            seed |= _shaded(small, plate, seed)
        elif np.count_nonzero(seed) < _GROWING * before:
            break
    return _near(smooth, surface, allowed), surface


def fit_plate(rgb: Rgb, bare: NDArray[np.bool_], background: Background = "light") -> PlateSurface:
    """Fit the surface of the bare slide to the ``bare`` pixels of ``rgb``.

    Least squares per channel, trimmed three times at three robust standard deviations (median
    absolute deviation). Where the pixels are few or leave a side of the canvas empty the order
    falls from two to one to none; without any pixel the plate is the image's brightest colour, on a
    dark ``background`` its darkest.
    """
    places = np.flatnonzero(bare)
    if places.size < _MIN_PIXELS:
        share = 95 if background == "light" else 5
        colours = rgb.reshape(-1, 3)
        return _flat(np.percentile(colours, share, axis=0) if rgb.size else np.full(3, 255))
    step = -(-places.size // _MAX_FIT_PIXELS)
    rows, columns = np.unravel_index(places[::step], bare.shape)
    values = rgb[rows, columns].astype(np.float64)
    y, x = _centred(rows, rgb.shape[0]), _centred(columns, rgb.shape[1])
    for n_terms in _terms_supported(y, x):
        surface = PlateSurface(_trimmed_fit(_design(y, x)[:, :n_terms], values))
        if _is_plausible(surface, values):
            return surface
    return _flat(np.median(values, axis=0))


def transmittance(rgb: Rgb, plate_rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of light let through, float32 of the shape of ``rgb``; may exceed 1.

    ``plate_rgb`` is the bare slide, at least 1.

    >>> transmittance(np.uint8([[[50, 100, 200]]]), np.full((1, 1, 3), 200, np.float32)).tolist()
    [[[0.25, 0.5, 1.0]]]
    """
    return np.asarray(np.divide(rgb, plate_rgb, dtype=np.float32))


def in_planes(rgb: Rgb) -> Rgb:
    """Return (3, height, width) of an image (height, width, 3), each channel in one piece.

    >>> in_planes(np.uint8([[[1, 2, 3], [4, 5, 6]]])).tolist()
    [[[1, 4]], [[2, 5]], [[3, 6]]]
    """
    return np.ascontiguousarray(rgb.transpose(2, 0, 1))


def optical_density(rgb: Rgb, plate_rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return -log10 of the transmittance, float32, at most log10(255); 0 on the bare slide.

    Black counts as the value 1, the darkest that 8 bits tell from it.

    >>> optical_density(np.uint8([[[20, 20, 20]]]), np.full((1, 1, 3), 200, np.float32)).round(3)
    array([[[1., 1., 1.]]], dtype=float32)
    """
    density = np.empty_like(plate_rgb)
    for top in range(0, len(rgb), _STRIP):
        rows = slice(top, top + _STRIP)
        strip = np.maximum(plate_rgb[rows], 1, out=density[rows])
        # Fifteen times as fast as log10 of numpy; both are right to six digits.
        cv2.log(strip, strip)
        strip *= _LOG10_OF_E
        strip -= cv2.LUT(rgb[rows], _LOG10)
    return density


def _centred(index: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """Scale pixel indices so that the canvas of ``length`` pixels spans [-1, 1]."""
    return (2.0 * index + 1.0 - length) / max(length, 1)


def _all_centred(start: int, stop: int, length: int) -> NDArray[np.float64]:
    """Return :func:`_centred` of all whole numbers from ``start`` to before ``stop``."""
    return np.arange(2 * start + 1 - length, 2 * stop + 1 - length, 2) / max(length, 1)


def _slide_seed(smooth: Rgb) -> NDArray[np.bool_] | None:
    """Return the pixels of the brightest well-filled peak of an image, None without one.

    Green is the channel in which every stain absorbs, so the bare slide is its brightest part.
    """
    green = smooth[..., 1]
    counts = np.bincount(green.ravel(), minlength=256).astype(np.float64)
    filled = np.convolve(counts, np.ones(5) / 5, mode="same")
    levels = np.flatnonzero(filled >= _PEAK_SHARE * filled.max())
    brightest = int(levels[-1])
    window = max(brightest // 12, 1)
    peak = brightest - window + int(filled[brightest - window : brightest + 1].argmax())
    if peak < _MIN_SLIDE_VALUE:
        return None
    half_width = max(brightest - peak, peak // 25, 2)
    return np.asarray(np.abs(green.astype(np.int16) - peak) <= half_width)


def _distance(rgb: Rgb, plate_rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far each value of ``rgb`` lies from the plate's, float32 (height, width, 3)."""
    return np.asarray(cv2.absdiff(rgb.astype(np.float32), plate_rgb), dtype=np.float32)


def _near(rgb: Rgb, surface: PlateSurface, allowed: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each pixel lies within what is allowed of the surface, a strip of rows at a time."""
    plate = surface.interpolated(*rgb.shape[:2])
    near = np.empty(rgb.shape[:2], dtype=np.bool_)
    for top in range(0, len(rgb), _STRIP):
        rows = slice(top, top + _STRIP)
        near[rows] = _all_within(_distance(rgb[rows], plate[rows]), allowed)
    return near


def _shaded(
    rgb: Rgb, plate_rgb: NDArray[np.float32], slide: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return what may be slide in the shade, bool (height, width), where there is much of it.

    It lets less light through than the ``slide`` found so far, and of all colours alike, which no
    stain does.
    """
    light = transmittance(rgb, plate_rgb)
    red, green, blue = light[..., 0], light[..., 1], light[..., 2]
    least, most = np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)
    grey = (most - least < _GREY) & (least > _DARKEST) & ~slide
    coloured = np.count_nonzero(~(grey | slide)) > _LEAST_COLOURED * slide.size
    whole = cv2.erode(grey.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    much = np.count_nonzero(whole) > _LEAST_SHADED * np.count_nonzero(slide)
    return np.asarray(whole if much and coloured else np.zeros_like(slide))


def _all_within(off: NDArray[np.float32], allowed: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each channel of (height, width, 3) is at most what is allowed for it."""
    red, green, blue = (float(value) for value in allowed)
    return np.asarray(cv2.inRange(off, (0.0, 0.0, 0.0), (red, green, blue)) > 0)


def _tolerance(off: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far from the surface each channel of the slide may lie, from ``off`` (n, 3)."""
    spread = 1.4826 * median(off.T)
    return np.asarray(np.clip(4 * spread, 5, 16), dtype=np.float32)


def _design(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms of the surface at points, float64 (points, 6)."""
    return np.stack([np.ones_like(y), y, x, y * y, x * y, x * x], axis=1)


def _terms_supported(y: NDArray[np.float64], x: NDArray[np.float64]) -> tuple[int, ...]:
    """Return how many terms points at (y, x) in [-1, 1] can carry, the most first."""
    thirds = np.bincount(_cell(y, 3) * 3 + _cell(x, 3), minlength=9) >= 0.01 * y.size
    halves = np.bincount(_cell(y, 2) * 2 + _cell(x, 2), minlength=4) >= 0.02 * y.size
    if thirds.sum() >= 7 and halves.all():
        return 6, 3, 1
    return (3, 1) if halves.sum() >= 3 else (1,)


def _cell(position: NDArray[np.float64], n_cells: int) -> NDArray[np.int64]:
    """Return which of ``n_cells`` equal parts of [-1, 1] each position lies in."""
    return np.minimum((position + 1) * n_cells / 2, n_cells - 1).astype(np.int64)


def _trimmed_fit(design: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coefficients (3, 6) by least squares, outliers of each channel left out."""
    n_points, n_terms = design.shape
    products = (design[:, :, None] * design[:, None, :]).reshape(n_points, -1)
    wanted = np.ascontiguousarray(values.T)
    kept = np.ones(wanted.shape)
    for _ in range(_TRIMS):
        normal = (kept @ products).reshape(3, n_terms, n_terms)
        moments = (kept * wanted) @ design
        fit = (np.linalg.pinv(normal, hermitian=True) @ moments[..., None])[..., 0]
        off = np.abs(wanted - fit @ design.T)
        allowed = 3 * 1.4826 * median(off)[:, None]
        kept = (off <= np.maximum(allowed, 1.0)).astype(np.float64)
    coefficients = np.zeros((3, len(TERMS)))
    coefficients[:, :n_terms] = fit
    return coefficients


def _is_plausible(surface: PlateSurface, values: NDArray[np.float64]) -> bool:
    """Whether the surface stays near the values it was fitted to, on a grid of 9 by 9."""
    low, high = percentiles(values.T, 1, 99)
    margin = np.maximum(0.5 * (high - low), 8.0)
    y, x = (side.ravel() for side in np.meshgrid(_NINE, _NINE, indexing="ij"))
    grid = _design(y, x) @ surface.coefficients.T
    return bool((grid >= low - margin).all() and (grid <= high + margin).all())


def _flat(colour: NDArray[np.float64]) -> PlateSurface:
    """Return the surface that has one colour everywhere."""
    coefficients = np.zeros((3, len(TERMS)))
    coefficients[:, 0] = colour
    return PlateSurface(coefficients)
