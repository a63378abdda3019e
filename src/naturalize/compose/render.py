"""Render a scene: the same scene, bank and recipe give the same pixels, anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved, moved_weight, refocused, restained
from naturalize.compose.blend import BLENDS, Layer, change_density
from naturalize.compose.objects import label_map, visible, visible_box
from naturalize.compose.recipe import Encode, Recipe
from naturalize.compose.rim import keep_halo, soften_cuts
from naturalize.compose.scene import UNSTAINED, Placement, Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.seeds import child


@dataclass(frozen=True, eq=False)
class Composite:
    """A rendered scene.

    ``image`` is uint8 (H, W, 3) as decoded from ``jpeg``, so it is what training sees whether the
    composite comes from a folder or straight from memory. ``label_map`` is uint16 (H, W): 0 bare
    slide, i + 1 the pixels of placement i.
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
    plate = bank.plate(scene.plate)
    canvas = plate.surface.evaluate(scene.height_px, scene.width_px)
    rng = child(scene.noise_seed, "noise")
    noise = plate.noise(scene.height_px, scene.width_px, rng=rng)
    layers = [_layer(placement, bank, recipe, canvas.shape) for placement in scene.placements]
    blended = BLENDS[recipe.blend](canvas, noise, layers)
    blended = refocused(blended, scene.focus)
    pixels = np.rint(np.clip(blended, 0, 255)).astype(np.uint8)
    jpeg = _encode(pixels, recipe.encode)
    own = ((layer.box, layer.weight == FULL) for layer in layers)
    return Composite(scene, decode(jpeg), jpeg, label_map(canvas.shape, own))


def _layer(placement: Placement, bank: CutoutBank, recipe: Recipe, shape: tuple[int, ...]) -> Layer:
    """Return one object, oriented and changed, cut to what is visible."""
    cutout = bank.cutout(placement.cutout)
    variation = placement.variation
    light = restained(change_density(cutout.transmittance(), placement.density), variation.stain)
    own_plate = cutout.surface.evaluate_box(cutout.box, *cutout.donor_px)
    unchanged = placement.density == (1.0, 1.0, 1.0) and variation.stain == UNSTAINED
    pixels = cutout.pixels.astype(np.float32) if unchanged else own_plate * light
    light, pixels = moved(light, variation), moved(pixels, variation)
    weight = moved_weight(cutout.weight, variation)
    if recipe.blend == "transmittance":
        weight = keep_halo(weight) if recipe.halo else weight
        light, weight = soften_cuts(light, weight) if recipe.soft_cuts else (light, weight)
    return Layer(
        box=visible_box(placement, weight.shape, shape),
        light=visible(placement, light, shape),
        pixels=visible(placement, pixels, shape),
        weight=visible(placement, weight, shape),
    )


def _encode(pixels: Rgb, encode: Encode) -> bytes:
    return encode_jpeg(pixels, quality=encode.quality, chroma=encode.chroma)
