"""Real surroundings: an image kept as it is, but for the cell at its centre.

Its cell is taken out, the hole filled from the slide, and another put there (the design's
``transplant``). Which image suits a subject is a matter of light, stain and shape: no edge that
its own cell hid may come to light, no edge cut through a neighbour may end on bare slide.
"""

from __future__ import annotations

import numpy as np

from naturalize.compose.appearance import moved_weight
from naturalize.compose.jpeg_grid import on_grid
from naturalize.compose.places import draw_place
from naturalize.compose.recipe import Recipe
from naturalize.compose.scene import Placement, Scene, Surroundings, Variation
from naturalize.compose.stain import draw_tint
from naturalize.compose.variation import draw_focus, draw_light, draw_variation
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box


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
    own = Box.around(mask)
    top = round(place.top + place.height / 2 - (own.top + own.height / 2))
    left = round(place.left + place.width / 2 - (own.left + own.width / 2))
    if not recipe.jpeg_grid or variation.moves:
        return top, left
    return on_grid(subject.box, 0, False, top, left)
