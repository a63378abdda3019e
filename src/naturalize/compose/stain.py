"""Which slide a composite shows and how its cells are stained: as one image, not as many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.compose.scene import UNCHANGED, Density
from naturalize.compose.stock import stock_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow, DonorRow
from naturalize.errors import InputError
from naturalize.segment import Kind

Look = NDArray[np.float64]
_UNLIKE = 0.03
"""Difference in mean transmittance from which two images' red cells are stained unlike."""
_CELLS = 40
"""Red cells, at least, from which those of a composite are drawn."""
_LARGEST_CHANGE = 1.25


@dataclass(frozen=True, eq=False)
class Stain:
    """The red cells a composite may show, and how each donor's density is changed.

    ``image`` multiplies the density of every cell; what comes from a donor known to ``looks`` is
    brought to the look ``wanted``, where there is one; a cell varies by ``cell`` more (share, 0 for
    not at all), ``channel`` each channel.
    """

    red_cells: tuple[CutoutRow, ...]
    rng: np.random.Generator
    cell: float
    channel: float = 0.0
    image: Density = UNCHANGED
    wanted: Look | None = None
    looks: Mapping[str, Look] = field(default_factory=dict)

    def density(self, sample_id: str) -> Density:
        """Draw the factors on the optical density of one cell of that donor."""
        look = self.looks.get(sample_id)
        matched = UNCHANGED
        if self.wanted is not None and look is not None:
            matched = _matching(self.wanted, look)
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
    if recipe.stain == "one":
        stock = stock_of(bank)
        look = stock.looks.get(subject.sample_id, np.full(5, np.nan))
        unlike = np.abs(stock.plate_looks[lit] - look)[:, :3].max(axis=1) > _UNLIKE
        lit = lit if unlike.all() else lit[~unlike]
    return bank.plates[int(rng.choice(lit))]


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
    if recipe.stain == "any":
        cells = near(recipe, bank, "RBC", plate)
        return Stain(cells, rng, share.density, share.density_per_channel)
    stock = stock_of(bank)
    image = _draw_density(share.density, share.density_per_channel, rng=rng)
    look = stock.looks.get(plate.sample_id, stock.looks.get(subject.sample_id))
    cells = _alike(recipe, bank, plate, look)
    return Stain(cells, rng, share.density_per_cell, 0.0, image, look, stock.looks)


def near(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> tuple[CutoutRow, ...]:
    """Return bystanders whose donors are lit like the plate."""
    rows, _ = bank.bystanders[kind]
    return tuple(rows[i] for i in _lit_like(recipe, bank, kind, plate))


def _lit_like(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> NDArray[np.intp]:
    _, colours = bank.bystanders[kind]
    off = np.abs(colours - plate.surface.coefficients[:, 0]).max(axis=1, initial=0.0)
    return np.flatnonzero(off <= recipe.plate_tolerance)


def _alike(
    recipe: Recipe, bank: CutoutBank, plate: DonorRow, look: Look | None
) -> tuple[CutoutRow, ...]:
    """Return the red cells with a clear rim whose donors' look is nearest to ``look``."""
    stock, (rows, _) = stock_of(bank), bank.bystanders["RBC"]
    lit = _lit_like(recipe, bank, "RBC", plate)
    clear = lit[stock.cells_clear[lit]]
    chosen = clear if clear.size else lit
    if look is not None and chosen.size > _CELLS:
        off = np.abs(stock.cell_looks[chosen] - look).max(axis=1)
        nearest = np.flatnonzero(off <= np.partition(off, _CELLS)[_CELLS])
        chosen = chosen[nearest[np.argsort(off[nearest], kind="stable")[:_CELLS]]]
    return tuple(rows[i] for i in chosen)


def _matching(wanted: Look, look: Look) -> Density:
    """Return the factors that bring the density of a donor's red cells to the wanted one."""
    density, own = (-np.log(np.clip(light, 0.02, 0.98)) for light in (wanted[:3], look[:3]))
    factors = np.clip(density / own, 1 / _LARGEST_CHANGE, _LARGEST_CHANGE)
    r, g, b = (float(factor) for factor in factors)
    return r, g, b


def _draw_density(share: float, per_channel: float, *, rng: np.random.Generator) -> Density:
    whole, *channels = rng.uniform(-1, 1, 4)
    r, g, b = (float((1 + share * whole) * (1 + per_channel * c)) for c in channels)
    return r, g, b
