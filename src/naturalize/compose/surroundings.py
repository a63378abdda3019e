"""Real surroundings: an image kept as it is, but for the cell at its centre.

Its cell is taken out, the hole filled from the slide, and another put there (the design's
``transplant``). Which image suits a subject is a matter of light, stain and shape: no edge that
its own cell hid may come to light, no edge cut through a neighbour may end on bare slide.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.blend import Layer, change_density
from naturalize.compose.jpeg_grid import grid_phase, snapped
from naturalize.compose.recipe import Recipe
from naturalize.compose.rim import keep_halo
from naturalize.compose.scene import Placement, Scene, Surroundings
from naturalize.compose.silhouette import Silhouettes, silhouette, silhouettes_of
from naturalize.compose.stain import draw_stain, looks_unlike
from naturalize.compose.stock import stock_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL
from naturalize.errors import InputError
from naturalize.geometry import Box

_SUITED = 5
"""Images, at most, among which one that suits a subject is drawn."""
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
    taken_out = subject if recipe.surroundings == "own" else _suited(recipe, bank, subject, rng=rng)
    donor = bank.donor_by_id[taken_out.sample_id]
    stain = draw_stain(recipe, bank, donor, subject, rng=rng)
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


def keepers(bank: CutoutBank) -> Silhouettes:
    """Return the subjects of images that show their slide and no other nucleated cell."""
    shapes = silhouettes_of(bank)
    crowded = stock_of(bank).crowded
    return shapes.take([i for i, r in enumerate(shapes.rows) if r.sample_id not in crowded])


def ground(
    scene: Scene, bank: CutoutBank, recipe: Recipe, plate: NDArray[np.float32], subject: Layer
) -> Layer | None:
    """Return what a scene keeps of a real image, None where its surroundings are composed.

    ``plate`` is its slide, float32 (H, W, 3). Where slide shows, ``subject`` is laid over slide
    and noise of their own, as noise seen through a cell would be twice there.
    """
    if scene.surroundings is None:
        return None
    hole = bank.cutout(scene.surroundings.without)
    picture = bank.picture(scene.plate).astype(np.float32)
    light = change_density(picture / plate, scene.surroundings.density)
    weight = np.full(light.shape[:2], FULL, dtype=np.uint8)
    weight[hole.box.slices] -= keep_halo(hole.weight) if recipe.halo else hole.weight
    window = subject.box.slices
    through = (weight[window].astype(np.int32) * (FULL - subject.weight.astype(np.int32))) // FULL
    slide = _shows_slide(light)[window]
    weight[window] = np.where(slide, through, weight[window])
    whole = Box(0, 0, scene.height_px, scene.width_px)
    return Layer(whole, light, plate * light, weight, ground=True)


def _suited(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, *, rng: np.random.Generator
) -> CutoutRow:
    """Draw the cell whose place the subject takes."""
    shapes = keepers(bank)
    others = shapes.take(
        [
            i
            for i, row in enumerate(shapes.rows)
            if row.kind == subject.kind and row.sample_id != subject.sample_id
        ]
    )
    if not others.rows:
        what = f"an image of another {subject.kind} that shows its slide"
        raise InputError("bank", what, "none")
    shapes = others.take(_alike(recipe, bank, subject, [row.sample_id for row in others.rows]))
    misfit = shapes.misfit(*silhouette(bank.cutout(subject.id)))
    best = np.argsort(misfit, kind="stable")[:_SUITED]
    return shapes.rows[int(rng.choice(best))]


def _alike(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, names: Sequence[str]
) -> NDArray[np.int64]:
    """Return which images are lit and, if there are any, stained like the subject's own."""
    own = bank.donor_by_id[subject.sample_id].surface.coefficients[:, 0]
    colours = np.array([bank.donor_by_id[name].surface.coefficients[:, 0] for name in names])
    off = np.abs(colours - own).max(axis=1)
    lit = np.flatnonzero(off <= recipe.plate_tolerance)
    if not lit.size:
        return np.array([int(off.argmin())])
    if recipe.stain == "any":
        return lit
    unlike = looks_unlike(bank, [names[i] for i in lit.tolist()], subject.sample_id)
    return lit if unlike.all() else lit[~unlike]


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
