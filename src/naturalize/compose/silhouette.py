"""Subjects by direction: how far each reaches, and where a neighbour touches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL, Cutout

DIRECTIONS = 72
_NEIGHBOUR = 2
"""Where more than one in so many pixels beside an object is no rim of its own, it is touched."""


@dataclass(frozen=True, eq=False)
class Silhouettes:
    """The subjects of a bank whose images it keeps.

    ``reach`` float64 (n, 72) is how far each of ``rows`` reaches from the centre of its box in px,
    by direction; ``touched`` bool (n, 72) where its rim gives way to a neighbour.
    """

    rows: tuple[CutoutRow, ...]
    reach: NDArray[np.float64]
    touched: NDArray[np.bool_]

    def misfit(self, reach: NDArray[np.float64], touched: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return what would show if a subject took the place of each, (n,).

        ``reach`` and ``touched`` are its :func:`silhouette`. In directions: those where a
        neighbour's hidden edge comes to light, and those where the subject's own cut edge meets no
        neighbour; depth of overlap with neighbours and difference in size count less.
        """
        covers = reach >= self.reach - 1
        shown = (self.touched & ~covers).sum(axis=1)
        met = self.touched & covers
        beside = met | np.roll(met, 1, axis=1) | np.roll(met, -1, axis=1)
        loose = (touched & ~beside).sum(axis=1)
        deep = (np.maximum(reach - self.reach - 4, 0) * self.touched).sum(axis=1)
        return np.asarray(shown + loose + deep / 8 + np.abs(reach - self.reach).mean(axis=1) / 6)

    def take(self, chosen: Sequence[int] | NDArray[np.int64]) -> Silhouettes:
        """Return some of them."""
        numbers = np.asarray(chosen, np.intp)
        rows = tuple(self.rows[i] for i in numbers)
        return Silhouettes(rows, self.reach[numbers], self.touched[numbers])


@lru_cache(maxsize=4)
def silhouettes_of(bank: CutoutBank) -> Silhouettes:
    """Measure the subjects of a bank that lie on a plate of their own, once a process."""
    donors = bank.donor_by_id
    rows = tuple(
        row
        for row in bank.rows
        if row.label and donors[row.sample_id].file_bytes and donors[row.sample_id].tiles
    )
    measured = [silhouette(bank.cutout(row.id)) for row in rows]
    reach = np.array([one for one, _ in measured]).reshape(-1, DIRECTIONS)
    touched = np.array([one for _, one in measured], np.bool_).reshape(-1, DIRECTIONS)
    return Silhouettes(rows, reach, touched)


def silhouette(cutout: Cutout) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return (reach, touched) of one object, each (72,); directions without a pixel are filled in.

    They go round from left over top to right and bottom.
    """
    own = cutout.mask.astype(np.uint8)
    beside = (cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0) & (own == 0)
    rows, columns = np.nonzero(beside)
    box = cutout.own_box
    down = rows + cutout.box.top + 0.5 - (box.top + box.height / 2)
    right = columns + cutout.box.left + 0.5 - (box.left + box.width / 2)
    turn = (np.arctan2(down, right) + np.pi) / (2 * np.pi)
    direction = (turn * DIRECTIONS).astype(np.intp) % DIRECTIONS
    reach = np.zeros(DIRECTIONS)
    np.maximum.at(reach, direction, np.hypot(down, right))
    seen = np.bincount(direction, minlength=DIRECTIONS)
    foreign = cutout.weight[rows, columns] <= FULL // 2
    touching = np.bincount(direction[foreign], minlength=DIRECTIONS)
    known = np.flatnonzero(seen)
    filled = np.interp(np.arange(DIRECTIONS), known, reach[known], period=DIRECTIONS)
    return filled, np.asarray(_NEIGHBOUR * touching > seen)
