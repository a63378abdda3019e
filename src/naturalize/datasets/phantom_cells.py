"""The cells of the phantom as layers of optical density."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, hypot, pi, radians, sqrt

import numpy as np
from numpy.typing import NDArray

from naturalize.datasets.phantom_classes import ClassShape, Density, stage
from naturalize.datasets.phantom_shapes import (
    Floats,
    arc,
    coverage,
    crenation,
    disc,
    radius_profile,
    sausage,
    smooth_noise,
)
from naturalize.datasets.phantom_slide import Slide
from naturalize.segment.mask import Kind

NUCLEUS: Density = (1.16, 1.95, 0.40)
HAEMOGLOBIN: Density = (0.215, 0.325, 0.185)
PLATELET: Density = (0.20, 0.22, 0.09)
PLATELET_GRANULE: Density = (0.62, 1.20, 0.22)


@dataclass(frozen=True, eq=False)
class Layer:
    """One cell on its own box of odd side: ``density`` float32 (side, side, 3), exact masks."""

    kind: Kind
    density: Floats
    pixels: NDArray[np.bool_]
    nucleus: NDArray[np.bool_] | None = None

    @property
    def radius(self) -> float:
        """Radius of the disc of the same area, in pixels."""
        return sqrt(np.count_nonzero(self.pixels) / pi)

    @property
    def half(self) -> int:
        """Pixels from the centre to each side of the box."""
        return len(self.pixels) // 2


def red_cell(slide: Slide, *, rng: np.random.Generator) -> Layer:
    """Draw a red blood cell: a biconcave disc, paler in its middle, crenated on some slides."""
    radius = slide.red_radius * rng.normal(1, 0.07)
    profile = radius_profile(radius, rng.uniform(0.01, 0.06), rng=rng)
    half = ceil(1.15 * profile.max() + slide.edge_px)
    field = disc(half, profile)
    inside = np.clip(1 - field * np.float32(1 / radius), 0, 1)  # 0 in the middle, 1 at the rim
    width = rng.uniform(0.32, 0.52)
    pallor = np.clip(slide.pallor + rng.normal(0, 0.12), 0, 0.9)
    dip = 1 - coverage((inside - np.float32(width)) * np.float32(radius), radius * 0.36)
    ring = 1 - np.float32(pallor) * dip + np.float32(0.10) * inside**4
    if rng.random() < slide.crenation:
        field = disc(half, profile * crenation(0.13, rng=rng))
    depth = coverage(field, slide.edge_px + 2) * ring * np.float32(rng.normal(1, 0.09))
    return Layer("RBC", _tinted(depth, HAEMOGLOBIN, slide.eosin), field >= 0)


def platelet(slide: Slide, radius: float, *, rng: np.random.Generator) -> Layer:
    """Draw a platelet of about ``radius`` pixels: ragged and pale, purple granules inside."""
    profile = radius_profile(radius, rng.uniform(0.06, 0.12), rng=rng)
    profile = profile * crenation(0.12, rng=rng)
    half = ceil(profile.max() + slide.edge_px)
    field = disc(half, profile)
    body = coverage(field, slide.edge_px + 1)
    core = coverage(field - np.float32(radius * rng.uniform(0.1, 0.4)), radius * 0.6)
    grains = np.clip(smooth_noise(len(body), 2.4, rng=rng) * np.float32(0.45) + 0.8, 0, 1.6)
    strength = np.float32(rng.uniform(0.75, 1.3))
    density = _tinted(body, PLATELET, slide.azure)
    density += _tinted(core * grains * strength, PLATELET_GRANULE, slide.azure)
    return Layer("PLT", density, field >= 0)


def nucleated_cell(label: str, slide: Slide, *, rng: np.random.Generator) -> Layer:
    """Draw the nucleated cell of class ``label`` (a key of ``SHAPES``)."""
    shape, maturity = stage(label, rng=rng)
    traits = shape.draw(maturity, rng=rng)
    profile = radius_profile(traits["cell_radius"], traits["outline"], rng=rng)
    half = ceil(profile.max() + slide.edge_px)
    cell = disc(half, profile)
    nucleus = np.minimum(_nucleus_field(half, traits, rng=rng), cell - np.float32(2.5))
    body, core = coverage(cell, slide.edge_px), coverage(nucleus, slide.edge_px)
    density = _cytoplasm(shape, traits, cell, body, slide, rng=rng) * (1 - core)[..., None]
    density += _chromatin(traits, nucleus, core, slide, rng=rng)
    density += _granules(shape, traits, body, core, slide, rng=rng)
    return Layer("WBC", density, cell >= 0, nucleus >= 0)


def _nucleus_field(half: int, traits: dict[str, float], *, rng: np.random.Generator) -> Floats:
    """Draw the nucleus' outline: a bent, pinched sausage, somewhat off the cell's centre."""
    area = pi * traits["cell_radius"] ** 2 * traits["nucleus_share"]
    aspect = max(traits["aspect"], 1.35 * traits["pinch"] * round(traits["lobes"]))
    width = sqrt(area / (pi + 4 * aspect)) * (1 + 0.25 * traits["pinch"])
    spine = arc(2 * width * aspect, radians(traits["bend_deg"]), 12 + ceil(14 * aspect))
    spine = spine @ _rotation(rng.uniform(0, 2 * pi))
    spine, widths = _lobed(spine, width, traits, rng=rng)
    reach = max(hypot(*point) + w for point, w in zip(spine, widths, strict=True))
    free = traits["cell_radius"] - 5
    fit = min(1.0, free / reach)
    room = max(0.0, free - reach) * traits["off_centre"]
    way = rng.uniform(0, 2 * pi)
    spine = spine * fit + room * np.array([np.sin(way), np.cos(way)])
    wobble = np.float32(rng.uniform(1.2, 2.4)) * smooth_noise(2 * half + 1, 17.0, rng=rng)
    return sausage(half, spine, widths * fit) + wobble


def _lobed(
    spine: NDArray[np.float64], width: float, traits: dict[str, float], *, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Constrict the sausage between its lobes and shift the lobes off the arc."""
    lobes = max(1, round(traits["lobes"]))
    place = np.linspace(0, lobes, len(spine))
    widths = np.full(len(spine), width)
    for joint in range(1, lobes):
        near = np.exp(-(((place - joint) / 0.32) ** 2))
        widths *= 1 - np.clip(traits["pinch"] * rng.normal(1, 0.12), 0, 0.94) * near
    sizes = rng.normal(1, 0.06, lobes + 1)
    widths *= np.interp(place, np.arange(lobes + 1), sizes)
    shifts = rng.normal(0, 0.35 * width * traits["pinch"], (lobes, 2))
    centres = np.arange(lobes) + 0.5
    moved = [np.interp(place, centres, shifts[:, axis]) for axis in (0, 1)]
    return spine + np.stack(moved, axis=1), np.maximum(widths, 1.6)


def _cytoplasm(
    shape: ClassShape,
    traits: dict[str, float],
    cell: Floats,
    body: Floats,
    slide: Slide,
    *,
    rng: np.random.Generator,
) -> Floats:
    """Return the cytoplasm's density: cloudy, bluer at the rim, holed by vacuoles."""
    tone = np.asarray(shape.young) + traits["maturity"] * np.subtract(shape.old, shape.young)
    side = len(body)
    cloud = 1 + 0.10 * smooth_noise(side, 14.0, rng=rng) + 0.11 * smooth_noise(side, 2.6, rng=rng)
    rim = np.float32(traits["blue_rim"]) * (1 - coverage(cell - 6, 14.0))
    depth = body * np.maximum(cloud + rim, 0.3)
    half = side // 2
    for _ in range(round(traits["vacuoles"])):
        way, far = rng.uniform(0, 2 * pi), traits["cell_radius"] * sqrt(rng.random()) * 0.92
        spot = far * np.array([[np.sin(way), np.cos(way)]])
        hole = coverage(sausage(half, spot, np.array([rng.uniform(1.5, 4.5)])), 3.0)
        depth *= 1 - np.float32(rng.uniform(0.4, 0.75)) * hole
    tint = (float(tone[0]), float(tone[1]), float(tone[2]))
    return _tinted(depth.astype(np.float32), tint, slide.azure)


def _chromatin(
    traits: dict[str, float], field: Floats, core: Floats, slide: Slide, *, rng: np.random.Generator
) -> Floats:
    """Return the nucleus' density: clumped chromatin, dense membrane, pale nucleoli."""
    side = len(core)
    fine = smooth_noise(side, traits["chromatin_px"], rng=rng)
    coarse = smooth_noise(side, 2.6 * traits["chromatin_px"], rng=rng)
    contrast = np.float32(traits["chromatin"])
    membrane = np.float32(0.14) * (1 - coverage(field - 3, 4.0))
    gaps = np.maximum(fine - np.float32(0.15), 0)
    grain = np.float32(0.5) * (coarse + fine) - np.float32(2.2) * gaps
    clumps = np.float32(1.13) + membrane + contrast * grain
    for _ in range(round(traits["nucleoli"])):
        spot = rng.normal(0, 0.3 * traits["cell_radius"], (1, 2))
        pale = coverage(sausage(side // 2, spot, np.array([rng.uniform(5, 10)])), 6.0)
        clumps *= 1 - np.float32(0.28) * pale
    depth = core * np.clip(clumps, 0.4, 1.45) * np.float32(traits["density"])
    return _tinted(depth, NUCLEUS, slide.azure)


def _granules(
    shape: ClassShape,
    traits: dict[str, float],
    body: Floats,
    core: Floats,
    slide: Slide,
    *,
    rng: np.random.Generator,
) -> Floats:
    """Return the granules' density over cytoplasm and, where the class says so, nucleus."""
    cover = traits["granule_cover"]
    if cover <= 0:
        return np.zeros((*body.shape, 3), dtype=np.float32)
    texture = smooth_noise(len(body), traits["granule_px"], rng=rng)
    limit = np.float32(np.quantile(texture, 1 - cover))
    grains = np.clip((texture - limit) * np.float32(0.9) + np.float32(0.15), 0, 1)
    place = body * (1 - np.float32(1 - shape.granules_over_nucleus) * core)
    dye = slide.eosin if shape.eosinophilic else slide.azure
    return _tinted(grains * place, shape.granule, dye)


def _tinted(depth: Floats, colour: Density, gain: tuple[float, ...]) -> Floats:
    """Return ``depth`` (h, w) times a colour's density times a slide's stain, (h, w, 3)."""
    tint = np.array(colour, dtype=np.float32) * np.array(gain, dtype=np.float32)
    return depth[..., None] * tint


def _rotation(angle: float) -> NDArray[np.float64]:
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return np.array([[cosine, -sine], [sine, cosine]])
