"""Real surroundings: an image kept as it is, but for the cell at its centre.

Its cell is taken out, the hole filled from the slide, and another put there (the design's
``transplant``). Which image suits a subject is a matter of light, stain and shape: no edge that
its own cell hid may come to light, no edge cut through a neighbour may end on bare slide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.blend import Layer, change_density
from naturalize.compose.jpeg_grid import grid_phase, snapped
from naturalize.compose.places import draw_place
from naturalize.compose.recipe import Recipe
from naturalize.compose.rim import keep_halo
from naturalize.compose.scene import Placement, Scene, Surroundings
from naturalize.compose.stain import draw_tint
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box

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

    Raises :class:`InputError` where no image of the bank shows enough of its slide.
    """
    taken_out = (
        subject if recipe.surroundings == "own" else draw_place(recipe, bank, subject, rng=rng)
    )
    donor = bank.donor_by_id[taken_out.sample_id]
    stain = draw_tint(recipe, bank, donor, subject, rng=rng)
    top, left = _in_place_of(recipe, bank, subject, taken_out)
    placed = Placement(
        cutout=subject.id, top=top, left=left, density=stain.density(subject.sample_id)
    )
    return Scene(
        label=label,
        plate=donor.sample_id,
        height_px=donor.height_px,
        width_px=donor.width_px,
        noise_seed=int(rng.integers(2**31)),
        placements=(placed,),
        unplaced={},
        surroundings=Surroundings(without=taken_out.id, density=stain.density(donor.sample_id)),
    )


def ground(
    scene: Scene,
    kept: Surroundings,
    bank: CutoutBank,
    recipe: Recipe,
    plate: NDArray[np.float32],
    subject: Layer,
) -> Layer:
    """Return what a scene keeps of a real image, to lie below all else.

    ``plate`` is its slide, float32 (H, W, 3). Where slide shows, ``subject`` is laid over slide
    and noise of their own, as noise seen through a cell would be twice there.
    """
    hole = bank.cutout(kept.without)
    picture = bank.picture(scene.plate).astype(np.float32)
    light = change_density(picture / plate, kept.density)
    weight = np.full(light.shape[:2], FULL, dtype=np.uint8)
    weight[hole.box.slices] -= keep_halo(hole.weight) if recipe.halo else hole.weight
    window = subject.box.slices
    through = (weight[window].astype(np.int32) * (FULL - subject.weight.astype(np.int32))) // FULL
    slide = _shows_slide(light)[window]
    weight[window] = np.where(slide, through, weight[window])
    whole = Box(0, 0, scene.height_px, scene.width_px)
    return Layer(whole, light, plate * light, weight, ground=True)


def _in_place_of(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, taken_out: CutoutRow
) -> tuple[int, int]:
    """Return (top, left) that bring the subject's middle to that of the cell taken out."""
    own, place = bank.cutout(subject.id).own_box, bank.cutout(taken_out.id).own_box
    top = round(place.top + (place.height - own.height) / 2) - (own.top - subject.box.top)
    left = round(place.left + (place.width - own.width) / 2) - (own.left - subject.box.left)
    if not recipe.jpeg_grid:
        return top, left
    rows, columns = grid_phase(subject.box, 0, False)
    return snapped(top, rows), snapped(left, columns)


def _shows_slide(light: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels of a picture's light (H, W, 3) show bare slide, and those around too."""
    bare = np.pad((light > _BARE).all(axis=2), 1, constant_values=True)
    height, width = light.shape[:2]
    shifts = [bare[r : r + height, c : c + width] for r in range(3) for c in range(3)]
    return np.asarray(np.logical_and.reduce(shifts))
