"""Which slide a composite shows and how its cells are stained: as one image, not as many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.compose.stock import Stock, stock_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow, DonorRow
from naturalize.errors import InputError
from naturalize.segment import Kind

Density = tuple[float, float, float]
_UNLIKE = 0.03
"""Difference in mean transmittance from which two images' red cells are stained unlike."""
_CELLS = 40
"""Red cells, at least, from which those of a composite are drawn."""
_LARGEST_CHANGE = 1.25


@dataclass(frozen=True, eq=False)
class Stain:
    """The red cells a composite may show, and how each donor's density is changed.

    ``image`` multiplies the density of every cell, ``donors`` what comes from one donor beside
    that; a cell varies by ``cell`` more (share, 0 for not at all), ``channel`` each channel.
    """

    red_cells: tuple[CutoutRow, ...]
    image: Density
    donors: Mapping[str, Density]
    cell: float
    channel: float
    rng: np.random.Generator

    def density(self, sample_id: str) -> Density:
        """Draw the factors on the optical density of one cell of that donor."""
        matched = self.donors.get(sample_id, (1.0, 1.0, 1.0))
        whole, *channels = self.rng.uniform(-1, 1, 4)
        own = [(1 + self.cell * whole) * (1 + self.channel * c) for c in channels]
        r, g, b = (
            round(float(i * m * o), 3) for i, m, o in zip(self.image, matched, own, strict=True)
        )
        return r, g, b


def draw_plate(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, *, rng: np.random.Generator
) -> DonorRow:
    """Draw a plate lit like the subject's own donor; its own or the nearest where none is.

    With ``stain: one`` none whose red cells look unlike those of that donor; where either shows no
    red cell of its own (crowded images), nothing is known against it.
    """
    if not bank.plates:
        raise InputError("bank", "at least one plate", "none")
    own = bank.donor_by_id[subject.sample_id].surface.coefficients[:, 0]
    off = np.abs(bank.plate_colours - own).max(axis=1)
    lit = np.flatnonzero(off <= recipe.plate_tolerance)
    if not lit.size:
        return bank.plates[int(off.argmin())]
    plates = tuple(bank.plates[i] for i in lit)
    if recipe.stain == "one":
        stock = stock_of(bank)
        look = stock.looks.get(subject.sample_id)
        plates = tuple(p for p in plates if _goes_with(stock, p, look)) or plates
    return plates[int(rng.integers(len(plates)))]


def draw_stain(
    recipe: Recipe,
    bank: CutoutBank,
    plate: DonorRow,
    subject: CutoutRow,
    *,
    rng: np.random.Generator,
) -> Stain:
    """Draw how a composite on ``plate`` is stained, and choose the red cells that suit it."""
    share = recipe.appearance
    pool = near(recipe, bank, "RBC", plate)
    if recipe.stain == "any":
        unchanged = 1.0, 1.0, 1.0
        return Stain(pool, unchanged, {}, share.density, share.density_per_channel, rng)
    stock = stock_of(bank)
    image = _draw_density(share.density, share.density_per_channel, rng=rng)
    look = stock.looks.get(plate.sample_id)
    if look is None:
        look = stock.looks.get(subject.sample_id)
    if look is None:
        return Stain(pool, image, {}, share.density_per_cell, 0.0, rng)
    cells = _alike(stock, pool, look)
    donors = {donor: _matching(look, stock.looks[donor]) for donor in stock.looks}
    return Stain(cells, image, donors, share.density_per_cell, 0.0, rng)


def near(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> tuple[CutoutRow, ...]:
    """Return bystanders whose donors are lit like the plate."""
    rows, colours = bank.bystanders[kind]
    off = np.abs(colours - plate.surface.coefficients[:, 0]).max(axis=1, initial=0.0)
    return tuple(rows[i] for i in np.flatnonzero(off <= recipe.plate_tolerance))


def _alike(
    stock: Stock, pool: tuple[CutoutRow, ...], look: NDArray[np.float64]
) -> tuple[CutoutRow, ...]:
    """Return the red cells with a clear rim whose donors' look most alike."""
    clear = tuple(row for row in pool if row.id in stock.clear) or pool
    off = np.array([np.abs(stock.looks[row.sample_id] - look).max() for row in clear])
    if off.size <= _CELLS:
        return clear
    furthest = np.sort(off)[_CELLS - 1]
    return tuple(clear[i] for i in np.flatnonzero(off <= furthest))


def _goes_with(stock: Stock, plate: DonorRow, look: NDArray[np.float64] | None) -> bool:
    own = stock.looks.get(plate.sample_id)
    return own is None or look is None or bool(np.abs(own - look)[:3].max() <= _UNLIKE)


def _matching(wanted: NDArray[np.float64], look: NDArray[np.float64]) -> Density:
    """Return the factors that bring the density of a donor's red cells to the wanted one."""
    density, own = (-np.log(np.clip(light, 0.02, 0.98)) for light in (wanted[:3], look[:3]))
    factors = np.clip(density / own, 1 / _LARGEST_CHANGE, _LARGEST_CHANGE)
    r, g, b = (float(factor) for factor in factors)
    return r, g, b


def _draw_density(share: float, per_channel: float, *, rng: np.random.Generator) -> Density:
    whole, *channels = rng.uniform(-1, 1, 4)
    r, g, b = (float((1 + share * whole) * (1 + per_channel * c)) for c in channels)
    return r, g, b
