"""What a bank offers beyond its tables: how its red cells are stained, lie and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.geometry import Box

CLEAR_RIM = 0.95
"""Share of the pixels just outside an object that must be its own rim, no neighbour's."""
_CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Stock:
    """Measured on a bank once a process.

    ``clear`` are the ids of cutouts that touched no neighbour, so that no edge is cut through
    stain. ``looks`` gives the mean transmittance of each donor's red cells, float64 (3,), and
    ``layouts`` where all its red cells lie, taken or not.
    """

    clear: frozenset[str]
    looks: Mapping[str, NDArray[np.float64]]
    layouts: Mapping[str, tuple[Box, ...]]
    rims: Mapping[str, int]


@lru_cache(maxsize=4)
def stock_of(bank: CutoutBank) -> Stock:
    """Look through all cutouts of a bank."""
    clear = set()
    sums: dict[str, NDArray[np.int64]] = {}
    areas: dict[str, int] = {}
    layouts: dict[str, list[Box]] = {}
    rims: dict[str, int] = {}
    for row in bank.rows:
        cutout = bank.cutout(row.id)
        if clear_rim(cutout) >= CLEAR_RIM:
            clear.add(row.id)
        if row.kind == "RBC":
            own = cutout.pixels[cutout.mask].sum(axis=0, dtype=np.int64)
            sums[row.sample_id] = sums.get(row.sample_id, np.zeros(3, np.int64)) + own
            areas[row.sample_id] = areas.get(row.sample_id, 0) + row.area_px
            bare = _bare_box(row, cutout)
            rims[row.id] = (row.box.height - bare.height) // 2
            layouts.setdefault(row.sample_id, []).append(bare)
    for refused in bank.turned_down():
        if refused.kind == "RBC":
            layouts.setdefault(refused.sample_id, []).append(refused.box)
    looks = {name: _look(bank, name, total, areas[name]) for name, total in sums.items()}
    return Stock(frozenset(clear), looks, {k: tuple(v) for k, v in layouts.items()}, rims)


def clear_rim(cutout: Cutout) -> float:
    """Return the share of the pixels beside an object where its rim begins undisturbed."""
    own = cutout.mask.astype(np.uint8)
    beside = (cv2.dilate(own, _CROSS) > 0) & (own == 0)
    bright = cutout.weight[beside] > FULL // 2
    return float(bright.mean()) if bright.size else 0.0


def _bare_box(row: CutoutRow, cutout: Cutout) -> Box:
    """Return the box of the object without its rim."""
    rows, columns = (np.flatnonzero(cutout.mask.any(axis=axis)) for axis in (1, 0))
    top, left = row.box.top + int(rows[0]), row.box.left + int(columns[0])
    return Box(top, left, int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)


def _look(bank: CutoutBank, name: str, total: NDArray[np.int64], area: int) -> NDArray[np.float64]:
    plate = bank.donor_by_id[name].surface.coefficients[:, 0]
    return np.asarray(total / area / plate, dtype=np.float64)
