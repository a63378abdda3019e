"""Draw how an image differs from those its parts come from, within what real images show."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import KNOTS
from naturalize.compose.recipe import Recipe
from naturalize.compose.scene import UNSTAINED, StainMatrix, Variation
from naturalize.compose.spread import spread_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow, DonorRow
from naturalize.errors import InputError

LARGEST = 0.25
"""What a class is taken to spread at most: more is a sign of few or of mixed cells."""


def draw_variation(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, *, rng: np.random.Generator
) -> Variation:
    """Draw how the subject differs from its cutout.

    Bystanders do not: there are enough of them, and what only the subject's class shows must not
    lie in its surroundings.
    """
    share = recipe.appearance
    size, stain = 1.0, UNSTAINED
    if share.size:
        spread = min(spread_of(bank).classes[subject.label].diameter, LARGEST)
        size = round(1 + share.size * spread * rng.uniform(-1, 1), 4)
    if share.stain:
        stain = _draw_stain(share.stain, bank, subject.label, rng=rng)
    diameter_px = 2 * (subject.area_px / np.pi) ** 0.5
    most_px = share.elastic * diameter_px
    knots = rng.uniform(-most_px, most_px, 2 * KNOTS * KNOTS).round(2) if share.elastic else ()
    return Variation(stain=stain, size=size, knots=tuple(map(float, knots)))


def draw_focus(recipe: Recipe, bank: CutoutBank, label: str, *, rng: np.random.Generator) -> float:
    """Draw the strength by which an image of class ``label`` is blurred, or below 0 sharpened."""
    share = recipe.appearance.focus
    if not share:
        return 0.0
    spread = min(spread_of(bank).classes[label].focus, LARGEST)
    return round(share * spread * rng.uniform(-1, 1), 4)


def draw_light(
    recipe: Recipe, bank: CutoutBank, plate: DonorRow, *, rng: np.random.Generator
) -> DonorRow:
    """Draw whose bare slide is shown: that of ``plate``, or of one in any light of the palette.

    It does not depend on the class, so that the light cannot tell it.
    """
    if rng.random() >= recipe.appearance.illumination:
        return plate
    lights = palette(bank, recipe.plate_tolerance)
    return bank.plates[int(rng.choice(lights[int(rng.integers(len(lights)))]))]


@lru_cache(maxsize=4)
def palette(bank: CutoutBank, tolerance: float) -> tuple[NDArray[np.intp], ...]:
    """Return the plates of a bank by their light, as places in :attr:`CutoutBank.plates`.

    Those of one group are within ``tolerance`` grey levels of its first in every channel. A light
    that few plates have counts as much as one that most have.
    """
    lights = []
    left = np.arange(len(bank.plates))
    while left.size:
        off = np.abs(bank.plate_colours[left] - bank.plate_colours[left[0]]).max(axis=1)
        lights.append(left[off <= tolerance])
        left = left[off > tolerance]
    return tuple(lights)


def _draw_stain(
    share: float, bank: CutoutBank, label: str, *, rng: np.random.Generator
) -> StainMatrix:
    """Draw how strongly each stain has taken, as the matrix that does it to densities."""
    spread = spread_of(bank)
    if np.array_equal(spread.axes, np.eye(3)):
        raise InputError("appearance.stain", "images with two stains", "one stain, or grey images")
    own = np.minimum(spread.classes[label][:2], LARGEST)
    azure, eosin = 1 + share * own * rng.uniform(-1, 1, 2)
    mixed = spread.axes @ np.diag([azure, eosin, 1.0]) @ np.linalg.inv(spread.axes)
    red, green, blue = ((float(r), float(g), float(b)) for r, g, b in mixed.round(4))
    return red, green, blue
