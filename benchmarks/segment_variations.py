"""How one and the same slide might look on another scanner: changes to a whole image.

Every change is told in encoded values (0 to 255), clipped and rounded as a camera would; lengths in
pixels hold for an image 300 px high and grow with it. Magnification alone changes the size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.images import Rgb, decode, encode_jpeg

Floats = NDArray[np.float32]
Change = Callable[[Rgb, np.random.Generator], Rgb]

REFERENCE_PX = 300


def stored(values: NDArray[np.floating]) -> Rgb:
    """Return real-valued grey levels as stored: rounded, clipped to 0 to 255."""
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def unchanged(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Return the image itself."""
    return rgb


def light(rgb: Rgb, rng: np.random.Generator, *, gain: tuple[float, float, float]) -> Rgb:
    """Multiply red, green and blue: exposure and white balance."""
    return stored(rgb.astype(np.float32) * np.asarray(gain, np.float32))


def gamma(rgb: Rgb, rng: np.random.Generator, *, power: float) -> Rgb:
    """Raise values (as shares of 255) to a power: another tone curve."""
    shares = rgb.astype(np.float32) / np.float32(255)
    return stored(np.float32(255) * shares**power)


def contrast(rgb: Rgb, rng: np.random.Generator, *, factor: float) -> Rgb:
    """Stretch values about the image's mean grey."""
    mean = np.float32(rgb.mean())
    return stored(mean + np.float32(factor) * (rgb - mean))


def hue(rgb: Rgb, rng: np.random.Generator, *, degrees: float) -> Rgb:
    """Turn the hue of every pixel (HSV)."""
    hsv = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return stored(np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32) * 255)


def stain(rgb: Rgb, rng: np.random.Generator, *, factor: tuple[float, float, float]) -> Rgb:
    """Multiply the optical density of red, green and blue: more or less stain, or another mixture.

    The bare slide is taken as each channel's 90th percentile; what is brighter stays above it.
    """
    slide = np.percentile(rgb.reshape(-1, 3), 90, axis=0).clip(1).astype(np.float32)
    passed = np.maximum(rgb.astype(np.float32), 1) / slide
    return stored(slide * passed ** np.asarray(factor, np.float32))


def magnified(rgb: Rgb, rng: np.random.Generator, *, factor: float) -> Rgb:
    """Show the same field with more or fewer pixels."""
    size = (round(rgb.shape[1] * factor), round(rgb.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=way), dtype=np.uint8)


def blurred(rgb: Rgb, rng: np.random.Generator, *, sigma: float) -> Rgb:
    """Put the image out of focus, ``sigma`` in px at the reference height."""
    return stored(_smooth(rgb, sigma))


def sharpened(rgb: Rgb, rng: np.random.Generator, *, amount: float) -> Rgb:
    """Sharpen by an unsharp mask as cameras do."""
    return stored(rgb + np.float32(amount) * (rgb - _smooth(rgb, 1.5)))


def noisy(rgb: Rgb, rng: np.random.Generator, *, sigma: float) -> Rgb:
    """Add independent normal noise, ``sigma`` in grey levels."""
    return stored(rgb + np.float32(sigma) * rng.standard_normal(rgb.shape, dtype=np.float32))


def recompressed(rgb: Rgb, rng: np.random.Generator, *, quality: int) -> Rgb:
    """Store as a JPEG with halved colour resolution."""
    return decode(encode_jpeg(rgb, quality=quality, chroma="4:2:0"))


def vignetted(rgb: Rgb, rng: np.random.Generator, *, loss: float) -> Rgb:
    """Darken towards the corners, which lose the share ``loss`` of their light."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in rgb.shape[:2])
    return stored(rgb * (1 - np.float32(loss / 2) * (y[:, None] ** 2 + x**2))[..., None])


def _smooth(rgb: Rgb, sigma: float) -> Floats:
    width = sigma * rgb.shape[0] / REFERENCE_PX
    return np.asarray(cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), width), dtype=np.float32)


VARIATIONS: Mapping[str, Change] = {
    "unchanged": unchanged,
    "brightness x0.75": partial(light, gain=(0.75, 0.75, 0.75)),
    "brightness x1.2, clipped": partial(light, gain=(1.2, 1.2, 1.2)),
    "gamma 0.7": partial(gamma, power=0.7),
    "gamma 1.4": partial(gamma, power=1.4),
    "contrast x0.7": partial(contrast, factor=0.7),
    "contrast x1.3": partial(contrast, factor=1.3),
    "warm light": partial(light, gain=(1.06, 1.0, 0.86)),
    "cool light": partial(light, gain=(0.86, 0.97, 1.06)),
    "hue +10 degrees": partial(hue, degrees=10),
    "hue -10 degrees": partial(hue, degrees=-10),
    "stain x0.6": partial(stain, factor=(0.6, 0.6, 0.6)),
    "stain x1.5": partial(stain, factor=(1.5, 1.5, 1.5)),
    "stain tilted to blue": partial(stain, factor=(1.25, 1.0, 0.8)),
    "stain tilted to red": partial(stain, factor=(0.8, 1.0, 1.25)),
    "magnification x0.5": partial(magnified, factor=0.5),
    "magnification x0.7": partial(magnified, factor=0.7),
    "magnification x1.5": partial(magnified, factor=1.5),
    "magnification x2": partial(magnified, factor=2),
    "focus blur 1 px": partial(blurred, sigma=1),
    "focus blur 2 px": partial(blurred, sigma=2),
    "sharpened": partial(sharpened, amount=1),
    "noise 4": partial(noisy, sigma=4),
    "noise 8": partial(noisy, sigma=8),
    "JPEG quality 40": partial(recompressed, quality=40),
    "vignetting 15%": partial(vignetted, loss=0.15),
    "vignetting 35%": partial(vignetted, loss=0.35),
}
