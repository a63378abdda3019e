"""Landmarks: the spots by which two images of one slide region can be recognised.

A landmark is a strong dark or bright blob of the reduced green channel: a nucleus, a platelet, the
edge or the pale centre of a red cell. Its descriptor holds the low frequencies of the patch round
it, without mean and contrast, so that brightness and gain do not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from naturalize.images import Rgb

Grey = NDArray[np.uint8]

WORKING_SIDE_PX = 90
PATCH_RADIUS_PX = 10
MAX_LANDMARKS = 20
FREQUENCIES = 8
MIN_RESPONSE = 1.5
_NARROW_PX, _WIDE_PX = 1.5, 3.0
_MIN_DISTANCE_PX = 5
_SMOOTH_PX = 1.0


def reduction(sides_px: NDArray[np.integer]) -> int:
    """Return the whole factor that brings images of these shorter sides near the working size.

    >>> reduction(np.array([360, 360, 366]))
    4
    """
    return max(1, round(float(np.median(sides_px)) / WORKING_SIDE_PX))


def shrink(rgb: Rgb, factor: int) -> Rgb:
    """Return block means of ``factor`` x ``factor`` pixels, in whole numbers, edges cut off."""
    if factor == 1:
        return rgb
    height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
    rows = rgb[: height * factor, : width * factor].reshape(height, factor, width * factor, 3)
    blocks = rows.sum(axis=1, dtype=np.uint32).reshape(height, width, factor, 3)
    area = factor * factor
    means = (blocks.sum(axis=2, dtype=np.uint32) + area // 2) // area
    return np.asarray(means, dtype=np.uint8)


def landmarks(grey: Grey) -> NDArray[np.intp]:
    """Return (row, column) of the strongest blobs of a reduced image, strongest first, (n, 2).

    Blobs whose patch would leave the image are left out, so an image smaller than a patch has none.
    """
    smooth = grey.astype(np.float32)
    response = np.abs(
        ndimage.gaussian_filter(smooth, _NARROW_PX) - ndimage.gaussian_filter(smooth, _WIDE_PX)
    )
    peak = response == ndimage.maximum_filter(response, 2 * _MIN_DISTANCE_PX + 1)
    peak &= response >= MIN_RESPONSE
    inside = np.zeros_like(peak)
    r = PATCH_RADIUS_PX
    inside[r : grey.shape[0] - r + 1, r : grey.shape[1] - r + 1] = True
    points = np.argwhere(peak & inside)
    order = np.argsort(-response[tuple(points.T)], kind="stable")
    return points[order[:MAX_LANDMARKS]]


def describe(grey: Grey, points: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return a unit vector for the patch round each point, (n, 63).

    The patch's discrete cosine transform at its lowest frequencies, but for the mean; the dot
    product of two descriptors is the correlation of two smoothed patches.
    """
    if not len(points):
        return np.zeros((0, FREQUENCIES**2 - 1), dtype=np.float32)
    smooth = ndimage.gaussian_filter(grey.astype(np.float32), _SMOOTH_PX)
    r = PATCH_RADIUS_PX
    windows = np.lib.stride_tricks.sliding_window_view(smooth, (2 * r, 2 * r))
    patches = windows[points[:, 0] - r, points[:, 1] - r]
    return unit(low_frequencies(patches))


def low_frequencies(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the 63 lowest cosine frequencies but for the mean, of patches (n, height, width)."""
    spectrum = fft.dctn(patches, axes=(1, 2), norm="ortho")
    low = spectrum[:, :FREQUENCIES, :FREQUENCIES].reshape(len(patches), -1)
    return np.asarray(low[:, 1:], dtype=np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return row vectors of length 1; a row of zeros stays one."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-6), dtype=np.float32)
