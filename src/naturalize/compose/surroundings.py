"""Real surroundings: an image kept as it is, but for the cell at its centre.

Its cell is taken out, the hole filled from the slide, and another put there (the design's
``transplant``). Which image suits a subject is a matter of light, stain and shape: no edge that
its own cell hid may come to light, no edge cut through a neighbour may end on bare slide.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved_weight
from naturalize.compose.blend import Layer, change_density
from naturalize.compose.jpeg_grid import on_grid
from naturalize.compose.places import draw_place
from naturalize.compose.recipe import Recipe
from naturalize.compose.rim import keep_halo
from naturalize.compose.scene import Placement, Scene, Surroundings, Variation
from naturalize.compose.stain import draw_tint
from naturalize.compose.variation import draw_focus, draw_light, draw_variation
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.cutouts.donor_objects import donor_objects
from naturalize.geometry import Box
from naturalize.optics import transmittance

_BARE = np.float32(0.93)
"""Transmittance in all channels, and next to a pixel too, from which it shows bare slide."""


def draw_kept_scene(
    recipe: Recipe,
    bank: CutoutBank,
    label: str,
    subject: CutoutRow,
    *,
    rng: np.random.Generator,
) -> Scene:
    """Draw an image and put ``subject`` in the place of its cell.

    Raises :class:`InputError` where the bank has no image to put it in.
    """
    own = recipe.surroundings == "own"
    taken_out = subject if own else draw_place(recipe, bank, subject, rng=rng)
    donor = bank.donor_by_id[taken_out.sample_id]
    stain = draw_tint(recipe, bank, donor, subject, rng=rng)
    chance = rng.spawn(1)[0]
    variation = draw_variation(recipe, bank, subject, rng=chance)
    top, left = _in_place_of(recipe, bank, subject, variation, taken_out)
    placed = Placement(
        cutout=subject.id,
        top=top,
        left=left,
        density=stain.density(subject.sample_id),
        variation=variation,
    )
    return Scene(
        label=label,
        plate=draw_light(recipe, bank, donor, rng=chance).sample_id,
        height_px=donor.height_px,
        width_px=donor.width_px,
        noise_seed=int(rng.integers(2**31)),
        placements=(placed,),
        unplaced={},
        surroundings=Surroundings(without=taken_out.id, density=stain.density(donor.sample_id)),
        focus=draw_focus(recipe, bank, label, rng=chance),
    )


def ground(
    kept: Surroundings,
    bank: CutoutBank,
    recipe: Recipe,
    plate: NDArray[np.float32],
    subject: Layer,
) -> Layer:
    """Return what a scene keeps of a real image, to lie below all else.

    ``plate`` is the slide it is shown on, float32 (H, W, 3). Where slide shows, ``subject`` is laid
    over slide and noise of their own, as noise seen through a cell would be twice there.
    """
    hole = bank.cutout(kept.without)
    whole, window = Box(0, 0, *hole.donor_px), subject.box.slices
    light = change_density(_light(bank, hole, whole), kept.density)
    weight = np.full(hole.donor_px, FULL, dtype=np.uint8)
    weight[hole.box.slices] -= _taken_out(bank, hole, halo=recipe.halo)
    through = (weight[window].astype(np.int32) * (FULL - subject.weight.astype(np.int32))) // FULL
    weight[window] = np.where(_shows_slide(light[window]), through, weight[window])
    pixels = light if recipe.blend == "transmittance" else plate * light
    return Layer(whole, light, pixels, weight, ground=True)


def _light(bank: CutoutBank, hole: Cutout, whole: Box) -> NDArray[np.float32]:
    """Return the transmittance of the image a cell lies in, float32 (H, W, 3), in planes."""
    picture = np.ascontiguousarray(bank.picture(hole.sample_id).transpose(2, 0, 1))
    plate = hole.surface.evaluate_planes(whole, *hole.donor_px)
    return transmittance(picture, plate).transpose(1, 2, 0)


def _taken_out(bank: CutoutBank, hole: Cutout, *, halo: bool) -> NDArray[np.uint8]:
    """Return the weight by which a cell is taken out of its image, uint8 of the shape of its box.

    A cutout keeps clear of whatever stain is near, so slivers of the cell's own edge would stay
    behind: within two pixels of it all goes that is not known to be another object's.
    """
    weight = keep_halo(hole.weight) if halo else hole.weight
    near = cv2.dilate(hole.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    others = np.zeros(hole.donor_px, dtype=np.bool_)
    for one in donor_objects(bank, hole.sample_id):
        if one.id != hole.id:
            others[one.box.slices] |= one.pixels
    near &= ~others[hole.box.slices]
    return np.where(near & (weight < FULL), np.uint8(FULL - 1), weight)


def _in_place_of(
    recipe: Recipe,
    bank: CutoutBank,
    subject: CutoutRow,
    variation: Variation,
    taken_out: CutoutRow,
) -> tuple[int, int]:
    """Return (top, left) that bring the subject's middle to that of the cell taken out."""
    place = bank.cutout(taken_out.id).own_box
    mask = moved_weight(bank.cutout(subject.id).weight, variation) == FULL
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top = round(place.top + place.height / 2 - float(rows[0] + rows[-1] + 1) / 2)
    left = round(place.left + place.width / 2 - float(columns[0] + columns[-1] + 1) / 2)
    if not recipe.jpeg_grid or variation.moves:
        return top, left
    return on_grid(subject.box, 0, False, top, left)


def _shows_slide(light: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels of light (h, w, 3) show bare slide, as do those around them."""
    bare = np.pad((light > _BARE).all(axis=2), 1, constant_values=True)
    height, width = light.shape[:2]
    shifts = [bare[r : r + height, c : c + width] for r in range(3) for c in range(3)]
    return np.asarray(np.logical_and.reduce(shifts))
