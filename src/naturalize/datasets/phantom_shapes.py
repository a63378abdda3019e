"""Outlines and textures of the phantom's cells, on small square boxes of odd side.

Outlines are fields: how many pixels a point lies inside the outline (negative outside), so that
``field >= 0`` is the exact mask and ``coverage`` its soft edge.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_ANGLES = 1024


def disc(half: int, profile: NDArray[np.float64]) -> Floats:
    """Return the field of a closed curve around the centre of a box of side ``2 * half + 1``.

    ``profile`` holds its radius in pixels at 1024 equal angles.
    """
    distance, angle = _polar(half)
    return np.take(profile.astype(np.float32), angle) - distance


def radius_profile(
    radius: float, irregular: float, *, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a closed curve: its radius at 1024 angles, a circle with low harmonics."""
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    profile = np.ones(_ANGLES)
    for order in range(2, 7):
        size = irregular * rng.normal(0, 3.5 / order**1.9)
        profile += size * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    return np.clip(radius * profile, 0.6 * radius, 1.5 * radius)


def crenation(size: float, *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw blunt spikes, uneven in height and spacing: factors in [1, 1 + size] at 1024 angles."""
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    sway = rng.uniform(0.1, 0.35) * np.sin(angle + rng.uniform(0, 2 * np.pi))
    wave = np.cos(rng.integers(9, 14) * (angle + sway))
    height = 0.7 + 0.3 * np.cos(rng.integers(2, 5) * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(1 + size * height * np.maximum(wave, 0))


def coverage(field: Floats, edge_px: float) -> Floats:
    """Return how much of each pixel the object covers, in [0, 1]; one half where field is 0."""
    ramp = np.clip(field * np.float32(1 / edge_px) + np.float32(0.5), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp))


def sausage(half: int, spine: NDArray[np.float64], widths: NDArray[np.float64]) -> Floats:
    """Return the field of a chain of discs: ``spine`` (K, 2) offsets from the centre, half widths.

    The chain must be dense: neighbours closer than their widths.
    """
    axis = np.arange(-half, half + 1, dtype=np.float32)
    field = np.full((2 * half + 1, 2 * half + 1), -1e3, dtype=np.float32)
    for (row, column), width in zip(spine.astype(np.float32), widths, strict=True):
        low, high = (np.floor((row, column)) - np.ceil(width) - 8 + half).astype(int), 0
        high = (np.ceil((row, column)) + np.ceil(width) + 9 + half).astype(int)
        rows, columns = (slice(max(0, a), max(0, b)) for a, b in zip(low, high, strict=True))
        square = (axis[rows, None] - row) ** 2 + (axis[None, columns] - column) ** 2
        part = field[rows, columns]
        np.maximum(part, np.float32(width) - np.sqrt(square), out=part)
    return field


def arc(length: float, bend: float, points: int) -> NDArray[np.float64]:
    """Return ``points`` (row, column) along an arc of ``length`` turning by ``bend`` radians.

    Centred on its own mean.
    """
    turn = np.linspace(-bend / 2, bend / 2, points)
    step = length / max(points - 1, 1)
    path = np.cumsum(np.stack([np.sin(turn), np.cos(turn)], axis=1) * step, axis=0)
    return np.asarray(path - path.mean(axis=0))


def smooth_noise(side: int, scale_px: float, *, rng: np.random.Generator) -> Floats:
    """Return smooth random texture (side, side) of mean 0 and variance 1, features ~ scale_px."""
    weights, knots = _spline(side, round(scale_px * 8))
    texture = rng.standard_normal((int(knots[-1, -1]) + 1,) * 2, dtype=np.float32)
    for _ in range(2):
        texture = (weights[:, :, None] * texture[knots]).sum(axis=1).T
    return texture * np.float32(1 / 0.479)


@lru_cache(maxsize=256)
def _polar(half: int) -> tuple[Floats, NDArray[np.int32]]:
    axis = np.arange(-half, half + 1, dtype=np.float64)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    angle = np.arctan2(axis[:, None], axis[None, :]) / (2 * np.pi) * _ANGLES
    return distance.astype(np.float32), np.rint(angle).astype(np.int32) % _ANGLES


@lru_cache(maxsize=1024)
def _spline(side: int, eighths: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return weights and knots (side, 4) of a cubic B-spline, a knot every ``eighths / 8`` px."""
    place = np.arange(side) * (8 / max(eighths, 8))
    first = np.floor(place).astype(np.intp)
    distance = np.abs((place - first)[:, None] - np.arange(-1, 3))
    near = 2 / 3 - distance**2 + distance**3 / 2
    weights = np.where(distance < 1, near, (2 - distance) ** 3 / 6)
    return weights.astype(np.float32), first[:, None] + np.arange(4)
