"""Which slide a composite shows and how its cells are stained: as one image, not as many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
class Pool(Sequence[CutoutRow]):
    """The rows of a bank ``chosen`` by their numbers; looked up one by one, as few are drawn."""

    rows: tuple[CutoutRow, ...]
    chosen: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, number: Any) -> Any:
        return self.rows[self.chosen[number]]


@dataclass(frozen=True, eq=False)
class Stain:
    """The red cells a composite may show, and how each donor's density is changed.

    ``image`` multiplies the density of every cell; what comes from a donor known to ``densities``
    is brought to the one ``wanted``, where there is one; a cell varies by ``cell`` more (share, 0
    for not at all), ``channel`` each channel.
    """

    red_cells: Pool
    rng: np.random.Generator
    cell: float
    channel: float = 0.0
    image: Density = UNCHANGED
    wanted: Density | None = None
    densities: Mapping[str, Density] = field(default_factory=dict)

    def density(self, sample_id: str) -> Density:
        """Draw the factors on the optical density of one cell of that donor."""
        own = self.densities.get(sample_id)
        matched = UNCHANGED
        if self.wanted is not None and own is not None:
            matched = _matching(self.wanted, own)
        whole, *channels = self.rng.uniform(-1, 1, 4)
        varied = [(1 + self.cell * whole) * (1 + self.channel * c) for c in channels]
        r, g, b = (
            round(float(i * m * v), 3) for i, m, v in zip(self.image, matched, varied, strict=True)
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
    known = next((r.sample_id for r in (plate, subject) if r.sample_id in stock.looks), "")
    cells = _alike(recipe, bank, plate, stock.looks.get(known))
    wanted = stock.densities.get(known)
    return Stain(cells, rng, share.density_per_cell, 0.0, image, wanted, stock.densities)


def near(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> Pool:
    """Return bystanders whose donors are lit like the plate."""
    rows, _ = bank.bystanders[kind]
    return Pool(rows, _lit_like(recipe, bank, kind, plate))


def _lit_like(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> NDArray[np.intp]:
    _, colours = bank.bystanders[kind]
    off = np.abs(colours - plate.surface.coefficients[:, 0]).max(axis=1, initial=0.0)
    return np.flatnonzero(off <= recipe.plate_tolerance)


def _alike(recipe: Recipe, bank: CutoutBank, plate: DonorRow, look: Look | None) -> Pool:
    """Return the red cells with a clear rim whose donors' look is nearest to ``look``."""
    stock, (rows, _) = stock_of(bank), bank.bystanders["RBC"]
    lit = _lit_like(recipe, bank, "RBC", plate)
    clear = lit[stock.cells_clear[lit]]
    chosen = clear if clear.size else lit
    if look is not None and chosen.size > _CELLS:
        off = np.abs(stock.cell_looks - look).max(axis=1)[chosen]
        nearest = np.flatnonzero(off <= np.partition(off, _CELLS)[_CELLS])
        chosen = chosen[nearest[np.argsort(off[nearest], kind="stable")[:_CELLS]]]
    return Pool(rows, chosen)


def _matching(wanted: Density, own: Density) -> Density:
    """Return the factors that bring the density of a donor's red cells to the wanted one."""
    factors = (w / o for w, o in zip(wanted, own, strict=True))
    r, g, b = (min(max(factor, 1 / _LARGEST_CHANGE), _LARGEST_CHANGE) for factor in factors)
    return r, g, b


def _draw_density(share: float, per_channel: float, *, rng: np.random.Generator) -> Density:
    whole, *channels = rng.uniform(-1, 1, 4)
    r, g, b = (float((1 + share * whole) * (1 + per_channel * c)) for c in channels)
    return r, g, b
