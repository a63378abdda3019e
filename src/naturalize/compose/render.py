"""Render a scene: the same scene, bank and recipe give the same pixels, anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved, moved_weight, refocused, restained
from naturalize.compose.blend import BLENDS, Layer, change_density
from naturalize.compose.kept_image import KeptImage
from naturalize.compose.objects import Part, label_map, visible, visible_box
from naturalize.compose.recipe import Recipe
from naturalize.compose.rim import keep_halo, soften_cuts
from naturalize.compose.scene import UNCHANGED, UNSTAINED, Placement, Scene, Surroundings
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.geometry import Box
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.optics import Background, in_planes
from naturalize.seeds import child


@dataclass(frozen=True, eq=False)
class Composite:
    """A rendered scene.

    ``image`` is uint8 (H, W, 3) as decoded from ``jpeg``, so it is what training sees whether the
    composite comes from a folder or straight from memory. ``label_map`` is uint16 (H, W): i + 1 the
    pixels of placement i, 0 elsewhere.
    """

    scene: Scene
    image: Rgb
    jpeg: bytes
    label_map: NDArray[np.uint16]

    def pixels_sha256(self) -> str:
        """Return the digest of the decoded pixels."""
        return hashlib.sha256(self.image.tobytes()).hexdigest()


def render(scene: Scene, bank: CutoutBank, recipe: Recipe) -> Composite:
    """Render ``scene`` with cutouts and plate from ``bank``."""
    pixels, labels = paint(scene, bank, recipe)
    jpeg = encode_jpeg(pixels, quality=recipe.encode.quality, chroma=recipe.encode.chroma)
    return Composite(scene, decode(jpeg, proven=True), jpeg, labels)


def paint(scene: Scene, bank: CutoutBank, recipe: Recipe) -> tuple[Rgb, NDArray[np.uint16]]:
    """Return the pixels of a scene as they are before the final encode, and its label map."""
    parts: list[Part] = []
    shape = scene.height_px, scene.width_px
    layers = _noted((_layer(p, bank, recipe, shape) for p in scene.placements), parts)
    if scene.surroundings is None:
        pixels = _rounded(BLENDS[recipe.blend](*bare_slide(scene, bank), layers), scene.focus)
    else:
        (subject,) = layers
        pixels = _among_kept(scene, scene.surroundings, bank, recipe, subject)
    return pixels, label_map(shape, parts)


def _rounded(blended: NDArray[np.float32], focus: float) -> Rgb:
    """Return the pixels, uint8, of what was blended (h, w, 3)."""
    focused = refocused(blended, focus)
    planes = []
    for channel in range(3):
        plane = np.clip(focused[..., channel], 0, 255)
        planes.append(np.rint(plane, out=plane).astype(np.uint8))
    return np.asarray(cv2.merge(planes), dtype=np.uint8)


def _among_kept(
    scene: Scene, kept: Surroundings, bank: CutoutBank, recipe: Recipe, subject: Layer
) -> Rgb:
    """Return a subject in a real image, uint8 (H, W, 3).

    In its own light and focus that image stays as it is but around the two cells, and nothing is
    computed elsewhere.
    """
    real = KeptImage.of(kept, bank)
    same = scene.plate == real.hole.sample_id and not scene.focus
    whole = Box(0, 0, scene.height_px, scene.width_px)
    window = real.hole.box.joined(subject.box) if same else whole
    canvas, noise = bare_slide(scene, bank, window)
    plates = canvas if same else real.slide(window), canvas
    layers = real.ground(bank, recipe, window, plates, subject), subject.seen_in(window)
    real.picture[window.slices] = _rounded(BLENDS[recipe.blend](canvas, noise, layers), scene.focus)
    return real.picture


def _noted(layers: Iterable[Layer], parts: list[Part]) -> Iterator[Layer]:
    """Yield each layer, its own pixels noted; one at a time, so that a small memory stays fast."""
    for layer in layers:
        parts.append((layer.box, layer.weight == FULL))
        yield layer


def bare_slide(
    scene: Scene, bank: CutoutBank, box: Box | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Return the plate of a scene, float32 (H, W, 3), and its noise, int8 of the same shape.

    Where a real image is kept it is that image's noise, whatever light it is shown in. With a
    ``box`` only what lies inside it.
    """
    kept, surface = scene.surroundings, bank.donor_by_id[scene.plate].surface
    shape = scene.height_px, scene.width_px
    part = Box(0, 0, *shape) if box is None else box
    grain = bank.plate(scene.plate if kept is None else bank.by_id[kept.without].sample_id)
    noise = grain.noise(*shape, rng=child(scene.noise_seed, "noise"), box=part)
    return surface.evaluate_planes(part, *shape).transpose(1, 2, 0), noise


def _layer(placement: Placement, bank: CutoutBank, recipe: Recipe, shape: tuple[int, ...]) -> Layer:
    """Return one object, oriented and changed, cut to what is visible."""
    cutout, background = bank.cutout(placement.cutout), bank.statistics.background
    variation = placement.variation
    weight = moved_weight(cutout.weight, variation)
    if recipe.blend in ("transmittance", "emission"):
        light = moved(_light(cutout, placement, background), variation)
        weight = keep_halo(weight) if recipe.halo else weight
        light, weight = soften_cuts(light, weight) if recipe.soft_cuts else (light, weight)
        pixels = light
    else:
        light = pixels = moved(_pixels(cutout, placement, background), variation)
        if recipe.blend == "poisson":
            light = moved(_light(cutout, placement, background), variation)
    box = visible_box(placement, weight.shape, shape)
    seen = visible(placement, light, box)
    return Layer(
        box=box,
        light=seen,
        pixels=seen if pixels is light else visible(placement, pixels, box),
        weight=visible(placement, weight, box),
    )


def _light(cutout: Cutout, placement: Placement, background: Background) -> NDArray[np.float32]:
    """Return the light a cell lets through, or on a dark background gives off, as it is stained."""
    if background == "dark":
        return cutout.emission() * np.array(placement.density, dtype=np.float32)
    light = change_density(cutout.transmittance, placement.density)
    return restained(light, placement.variation.stain)


def _pixels(cutout: Cutout, placement: Placement, background: Background) -> NDArray[np.float32]:
    """Return the donor's pixels with the density of its light, its own values where unchanged."""
    if placement.density == UNCHANGED and placement.variation.stain == UNSTAINED:
        return in_planes(cutout.pixels).astype(np.float32).transpose(1, 2, 0)
    light = _light(cutout, placement, background)
    own_plate = cutout.surface.evaluate_planes(cutout.box, *cutout.donor_px).transpose(1, 2, 0)
    return own_plate + light if background == "dark" else own_plate * light
