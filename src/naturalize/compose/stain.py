"""Which slide a composite shows and how its cells are stained: as one image, not as many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
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
UNLIKE = 0.03
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

    def __iter__(self) -> Iterator[CutoutRow]:
        return map(self.rows.__getitem__, self.chosen.tolist())


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
        whole, *channels = self.rng.uniform(-1, 1, 4).tolist()
        varied = [(1 + self.cell * whole) * (1 + self.channel * c) for c in channels]
        r, g, b = (round(i * m * v, 3) for i, m, v in zip(self.image, matched, varied, strict=True))
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
        unlike = np.abs(stock.plate_looks[:, :3] - look[:3]).max(axis=1)[lit] > UNLIKE
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
    tint = draw_tint(recipe, bank, plate, subject, rng=rng)
    if recipe.stain == "any":
        return replace(tint, red_cells=near(recipe, bank, "RBC", plate))
    on = bank, recipe.plate_tolerance, plate.sample_id
    known = _known(bank, plate, subject)
    return replace(tint, red_cells=_alike(*on, known) if known else _clear(*on))


def draw_tint(
    recipe: Recipe,
    bank: CutoutBank,
    plate: DonorRow,
    subject: CutoutRow,
    *,
    rng: np.random.Generator,
) -> Stain:
    """Draw how a composite on ``plate`` is stained, where no red cells are wanted."""
    share, nothing = recipe.appearance, Pool((), np.empty(0, np.intp))
    if recipe.stain == "any":
        return Stain(nothing, rng, share.density, share.density_per_channel)
    image = _draw_density(share.density, share.density_per_channel, rng=rng)
    densities = stock_of(bank).densities
    wanted = densities.get(_known(bank, plate, subject))
    return Stain(nothing, rng, share.density_per_cell, 0.0, image, wanted, densities)


def _known(bank: CutoutBank, plate: DonorRow, subject: CutoutRow) -> str:
    """Return which image tells how red cells look: the plate's, else the subject's, else none."""
    looks = stock_of(bank).looks
    return next((row.sample_id for row in (plate, subject) if row.sample_id in looks), "")


def near(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> Pool:
    """Return bystanders whose donors are lit like the plate."""
    rows, _ = bank.bystanders[kind]
    return Pool(rows, _lit_like(bank, recipe.plate_tolerance, kind, plate))


def _lit_like(bank: CutoutBank, tolerance: float, kind: Kind, plate: DonorRow) -> NDArray[np.intp]:
    _, donors = bank.bystanders[kind]
    off = np.abs(bank.donor_colours - plate.surface.coefficients[:, 0]).max(axis=1)
    return np.flatnonzero((off <= tolerance)[donors])


def _clear(bank: CutoutBank, tolerance: float, plate: str) -> Pool:
    """Return the red cells lit like the plate, those with a clear rim where there are any."""
    rows, _ = bank.bystanders["RBC"]
    lit = _lit_like(bank, tolerance, "RBC", bank.donor_by_id[plate])
    clear = lit[stock_of(bank).cells_clear[lit]]
    return Pool(rows, clear if clear.size else lit)


@lru_cache(maxsize=16_384)
def _alike(bank: CutoutBank, tolerance: float, plate: str, known: str) -> Pool:
    """Return those of :func:`_clear` whose donors' look is nearest to that of ``known``."""
    clear, stock = _clear(bank, tolerance, plate), stock_of(bank)
    if len(clear) <= _CELLS:
        return clear
    _, donors = bank.bystanders["RBC"]
    off = np.abs(stock.donor_looks - stock.looks[known]).max(axis=1)[donors[clear.chosen]]
    nearest = np.flatnonzero(off <= np.partition(off, _CELLS)[_CELLS])
    order = np.argsort(off[nearest], kind="stable")[:_CELLS]
    return Pool(clear.rows, clear.chosen[nearest[order]])


def _matching(wanted: Density, own: Density) -> Density:
    """Return the factors that bring the density of a donor's red cells to the wanted one."""
    factors = (w / o for w, o in zip(wanted, own, strict=True))
    r, g, b = (min(max(factor, 1 / _LARGEST_CHANGE), _LARGEST_CHANGE) for factor in factors)
    return r, g, b


def _draw_density(share: float, per_channel: float, *, rng: np.random.Generator) -> Density:
    whole, *channels = rng.uniform(-1, 1, 4)
    r, g, b = (float((1 + share * whole) * (1 + per_channel * c)) for c in channels)
    return r, g, b
