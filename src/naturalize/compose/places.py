"""Places for a subject: the images whose own cell may be taken out for another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.compose.silhouette import DIRECTIONS, misfit, silhouette
from naturalize.compose.stain import UNLIKE
from naturalize.compose.stock import stock_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.errors import InputError

_DRAWN, _SUITED = 400, 5
"""Images drawn for a subject, at most, and those that suit best, among which one is drawn."""


@dataclass(frozen=True, eq=False)
class Places:
    """The subjects of a bank, each with the image it may be taken out of.

    ``numbers`` finds them by id. Of each of ``rows``: its kind, its class, whether its image is
    ``crowded`` (shows another nucleated cell), the colour of its slide (n, 3), how red cells look
    there (n, 3; NaN where none was cut out), its silhouette (n, 72).
    """

    rows: tuple[CutoutRow, ...]
    numbers: Mapping[str, int]
    kinds: NDArray[np.str_]
    labels: NDArray[np.str_]
    crowded: NDArray[np.bool_]
    colours: NDArray[np.float64]
    looks: NDArray[np.float64]
    reaches: NDArray[np.float64]
    touched: NDArray[np.bool_]


@lru_cache(maxsize=4)
def places_of(bank: CutoutBank) -> Places:
    """Look through the subjects of a bank, once a process."""
    stock, donors = stock_of(bank), bank.donor_by_id
    rows = tuple(row for row in bank.rows if row.label and donors[row.sample_id].file_bytes)
    unknown = np.full(5, np.nan)
    colours = [donors[row.sample_id].surface.coefficients[:, 0] for row in rows]
    looks = [stock.looks.get(row.sample_id, unknown)[:3] for row in rows]
    shapes = [silhouette(bank.cutout(row.id)) for row in rows]
    return Places(
        rows=rows,
        numbers={row.id: number for number, row in enumerate(rows)},
        kinds=np.array([row.kind for row in rows], np.str_),
        labels=np.array([row.label for row in rows], np.str_),
        crowded=np.array([row.sample_id in stock.crowded for row in rows], np.bool_),
        colours=np.array(colours).reshape(-1, 3),
        looks=np.array(looks).reshape(-1, 3),
        reaches=np.array([reach for reach, _ in shapes]).reshape(-1, DIRECTIONS),
        touched=np.array([touched for _, touched in shapes], np.bool_).reshape(-1, DIRECTIONS),
    )


def draw_place(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, *, rng: np.random.Generator
) -> CutoutRow:
    """Draw the cell whose place a subject takes: one of its kind, on an image lit like its own.

    With ``stain: one`` also stained like it, if any is; with ``places: class`` an image of its own
    class, if there is another, else, if any, one that shows no second nucleated cell. Of some, one
    of the few that hide best what must not show, see
    :func:`~naturalize.compose.silhouette.misfit`. Raises :class:`InputError` where the bank has no
    other image of its kind.
    """
    places = places_of(bank)
    own = places.numbers[subject.id]
    able = places.kinds == subject.kind
    able[own] = False
    same = able & (places.labels == subject.label)
    alone = able & ~places.crowded
    if recipe.places == "class" and same.any():
        able = same
    elif alone.any():
        able = alone
    if not able.any():
        raise InputError("bank", f"another image with a {subject.kind} to put a cell in", "none")
    alike = np.flatnonzero(_alike(recipe, places, own, able))
    if alike.size > _DRAWN:
        alike = rng.choice(alike, _DRAWN, replace=False)
    shape = places.reaches[own], places.touched[own]
    off = misfit(*shape, places.reaches[alike], places.touched[alike])
    best = rng.choice(np.argsort(off, kind="stable")[:_SUITED])
    return places.rows[int(alike[best])]


def _alike(recipe: Recipe, places: Places, own: int, able: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the places that are ``able`` look like the ``own`` one, at least one."""
    off = np.where(able, np.abs(places.colours - places.colours[own]).max(axis=1), np.inf)
    lit = np.asarray(off <= max(recipe.plate_tolerance, float(off.min())))
    if recipe.stain == "any":
        return lit
    alike = lit & ~(np.abs(places.looks - places.looks[own]).max(axis=1) > UNLIKE)
    return alike if alike.any() else lit
