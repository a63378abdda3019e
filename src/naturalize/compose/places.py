"""Places for a subject: the images whose own cell may be taken out for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.compose.silhouette import DIRECTIONS, misfit, silhouette
from naturalize.compose.stain import UNLIKE
from naturalize.compose.stock import stock_of
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.errors import InputError

Key = TypeVar("Key")
Numbers = NDArray[np.intp]
_NONE = np.empty(0, np.intp)
_DRAWN, _SUITED = 400, 5
"""Images drawn for a subject, at most, and those that suit best, among which one is drawn."""


@dataclass(frozen=True, eq=False)
class Places:
    """The subjects of a bank, each with the image it may be taken out of.

    ``numbers`` finds them by id. Numbers of rows, ascending: ``of_kind``, ``of_class`` (a kind and
    a class), and ``alone``, by kind, those whose images show no other nucleated cell. Of each of
    ``rows``: the colour of its slide (3, n), how red cells look there (3, n; NaN where none was cut
    out), its silhouette (n, 72).
    """

    rows: tuple[CutoutRow, ...]
    numbers: Mapping[str, int]
    of_kind: Mapping[str, Numbers]
    of_class: Mapping[tuple[str, str], Numbers]
    alone: Mapping[str, Numbers]
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
        of_kind=_numbers_by([row.kind for row in rows]),
        of_class=_numbers_by([(row.kind, row.label) for row in rows]),
        alone=_numbers_by(["" if row.sample_id in stock.crowded else row.kind for row in rows]),
        colours=np.ascontiguousarray(np.array(colours).reshape(-1, 3).T),
        looks=np.ascontiguousarray(np.array(looks).reshape(-1, 3).T),
        reaches=np.array([reach for reach, _ in shapes]).reshape(-1, DIRECTIONS),
        touched=np.array([touched for _, touched in shapes], np.bool_).reshape(-1, DIRECTIONS),
    )


def _numbers_by(keys: Sequence[Key]) -> dict[Key, Numbers]:
    """Return at which places of ``keys`` each of them stands."""
    found: dict[Key, list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return {key: np.array(numbers, dtype=np.intp) for key, numbers in found.items()}


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
    alike = _alike(recipe, places, own, _able(recipe, places, subject))
    if alike.size > _DRAWN:
        alike = rng.choice(alike, _DRAWN, replace=False)
    shape = places.reaches[own], places.touched[own]
    off = misfit(*shape, places.reaches[alike], places.touched[alike])
    best = rng.choice(np.argsort(off, kind="stable")[:_SUITED])
    return places.rows[int(alike[best])]


def _able(recipe: Recipe, places: Places, subject: CutoutRow) -> Numbers:
    """Return the places a subject may take, by their numbers, its own left out."""
    own = places.numbers[subject.id]
    same = places.of_class[subject.kind, subject.label] if recipe.places == "class" else _NONE
    for numbers in (same, places.alone.get(subject.kind, _NONE), places.of_kind[subject.kind]):
        others: Numbers = numbers[numbers != own]
        if others.size:
            return others
    raise InputError("bank", f"another image with a {subject.kind} to put a cell in", "none")


def _alike(recipe: Recipe, places: Places, own: int, able: Numbers) -> Numbers:
    """Return those of the places ``able`` that look like the ``own`` one, at least one."""
    colours, looks = places.colours, places.looks
    off = np.abs(colours.take(able, axis=1) - colours[:, own, None]).max(axis=0)
    lit: Numbers = able[off <= max(recipe.plate_tolerance, float(off.min()))]
    if recipe.stain == "any":
        return lit
    unlike = np.abs(looks.take(lit, axis=1) - looks[:, own, None]).max(axis=0) > UNLIKE
    alike: Numbers = lit[~unlike]
    return alike if alike.size else lit
