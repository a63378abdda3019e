"""What a bank offers beyond its tables: how its red cells are stained, lie and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.scene import Density
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cutout import FULL, Cutout
from naturalize.geometry import Box

CLEAR_RIM = 0.95
"""Share of the pixels just outside an object that must be its own rim, no neighbour's."""
_CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Stock:
    """Measured on a bank once a process.

    ``looks`` tells how each donor's red cells look, float64 (5,): mean transmittance of red,
    green and blue, how much lighter their middle is (share), and their diameter (share of the
    median); ``densities`` the optical densities (natural logarithm) of the first three. ``crowded``
    are the donors that show a nucleated cell beside their subject. ``layouts`` tells where all its
    red cells lie, taken or not, ``rims`` how wide the rim of each red cell is in px.
    ``cells_clear`` bool (n,) is about the bank's red cells, ``donor_looks`` (m, 5) and
    ``plate_looks`` (p, 5) about its donors and plates, NaN where no red cell was cut out.
    """

    looks: Mapping[str, NDArray[np.float64]]
    crowded: frozenset[str]
    densities: Mapping[str, Density]
    layouts: Mapping[str, tuple[Box, ...]]
    rims: Mapping[str, int]
    cells_clear: NDArray[np.bool_]
    donor_looks: NDArray[np.float64]
    plate_looks: NDArray[np.float64]


@lru_cache(maxsize=4)
def stock_of(bank: CutoutBank) -> Stock:
    """Look through all red cells of a bank."""
    clear = set()
    seen: dict[str, list[NDArray[np.float64]]] = {}
    layouts: dict[str, list[Box]] = {}
    rims: dict[str, int] = {}
    for row in (row for row in bank.rows if row.kind == "RBC"):
        cutout = bank.cutout(row.id)
        if clear_rim(cutout) >= CLEAR_RIM:
            clear.add(row.id)
        seen.setdefault(row.sample_id, []).append(_look(cutout))
        bare = cutout.own_box
        rims[row.id] = (row.box.height - bare.height) // 2
        layouts.setdefault(row.sample_id, []).append(bare)
    turned_down = bank.turned_down()
    for refused in turned_down:
        if refused.kind == "RBC":
            layouts.setdefault(refused.sample_id, []).append(refused.box)
    sizes = [look[-1] for looks in seen.values() for look in looks]
    scale = np.array([1, 1, 1, 1, np.median(sizes) if sizes else 1.0])
    looks = {name: np.mean(found, axis=0) / scale for name, found in seen.items()}
    cells, _ = bank.bystanders["RBC"]
    unknown = np.full(5, np.nan)
    return Stock(
        looks=looks,
        crowded=frozenset(refused.sample_id for refused in turned_down if refused.kind == "WBC"),
        densities={name: _density(look) for name, look in looks.items()},
        layouts={name: tuple(boxes) for name, boxes in layouts.items()},
        rims=rims,
        cells_clear=np.array([row.id in clear for row in cells], dtype=np.bool_),
        donor_looks=_by_column([looks.get(row.sample_id, unknown) for row in bank.donors]),
        plate_looks=_by_column([looks.get(row.sample_id, unknown) for row in bank.plates]),
    )


def _density(look: NDArray[np.float64]) -> Density:
    r, g, b = (-np.log(np.clip(look[:3], 0.02, 0.98))).tolist()
    return r, g, b


def _by_column(looks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return (n, 5), each column in one piece, as it is compared."""
    return np.asfortranarray(np.array(looks).reshape(-1, 5))


def clear_rim(cutout: Cutout) -> float:
    """Return the share of the pixels beside an object where its rim begins undisturbed."""
    own = cutout.mask.astype(np.uint8)
    beside = (cv2.dilate(own, _CROSS) > 0) & (own == 0)
    bright = cutout.weight[beside] > FULL // 2
    return float(bright.mean()) if bright.size else 0.0


def _look(cutout: Cutout) -> NDArray[np.float64]:
    """Return transmittance (3), how much lighter the middle is, and the diameter in px."""
    mask, pixels = cutout.mask, cutout.pixels
    h, w = mask.shape
    middle = np.s_[3 * h // 8 : 5 * h // 8 + 1, 3 * w // 8 : 5 * w // 8 + 1]
    area = int(np.count_nonzero(mask))
    # A sum of whole numbers, brought back to one; indexing by the mask takes far longer.
    mean = np.rint(np.multiply(cv2.mean(pixels, mask.view(np.uint8))[:3], area)) / area
    lighter = pixels[middle][..., 1].mean(dtype=np.float64) / mean[1] - 1
    light = mean / cutout.surface.coefficients[:, 0]
    return np.array([*light, lighter, area**0.5])
