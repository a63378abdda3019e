"""What lies on what in a crowd, and what is seen of it."""

from __future__ import annotations

import cv2
import numpy as np

from naturalize.compose.recipe import load_recipe
from naturalize.compose.render import paint
from naturalize.compose.scene import Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.images import Rgb, decode, encode_jpeg

_EDGE_PX = 1.0
"""How softly a cell's edge covers what lies below it, a standard deviation."""


def layers_of(scene: Scene, bank: CutoutBank) -> tuple[list[int], ...]:
    """Return the places of a scene's objects, layer by layer from below.

    First every second red cell, in the order of the scene, then the others, which lie on those;
    then platelets, then nucleated cells.
    """
    kinds = [bank.by_id[one.cutout].kind for one in scene.placements]
    red, platelets, nucleated = (
        [place for place, own in enumerate(kinds) if own == kind] for kind in ("RBC", "PLT", "WBC")
    )
    return red[::2], red[1::2], platelets, nucleated


def crowd_picture(scene: Scene, bank: CutoutBank) -> Rgb:
    """Return the picture of a crowd, uint8 (height, width, 3), in which what lies on what is seen.

    A red cell hides those of the layer below, and its edge, paler than either, is seen on them, as
    where real ones lie on one another; in one layer the darker of two is seen. Nucleated cells hide
    all below them: where a red cell shows through pale cytoplasm, a network learns that what is red
    may be a nucleated cell's. Platelets hide nothing.
    """
    recipe = load_recipe("recomposed")
    layers = (tuple(scene.placements[i] for i in layer) for layer in layers_of(scene, bank))
    _, upper, platelets, nucleated = layers
    whole, _ = paint(scene, bank, recipe)
    pixels = whole.astype(np.float32)
    for hiding, seen_through in ((upper, platelets), (nucleated, ())):
        shown = scene.model_copy(update={"placements": seen_through + hiding})
        alone, own = paint(shown, bank, recipe)
        share = cv2.GaussianBlur((own > len(seen_through)).astype(np.float32), (0, 0), _EDGE_PX)
        pixels += share[..., None] * (alone - pixels)
    rounded = np.rint(pixels).astype(np.uint8)
    jpeg = encode_jpeg(rounded, quality=recipe.encode.quality, chroma=recipe.encode.chroma)
    return decode(jpeg, proven=True)
