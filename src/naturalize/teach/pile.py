"""Red cells piled on one another, as where blood lies thick: side by side, or in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from naturalize.compose.scene import Placement
from naturalize.cutouts.bank import CutoutBank

_BEGINS = 0.3
"""Chance that a red cell begins a pile."""
_FURTHER = (1, 1, 2, 3, 5)
_STEP = (0.2, 1.0)
"""How far the next lies from the one before, in diameters."""
_WANDER = 0.5
"""By how much, in radians, a row changes its way from one cell to the next."""


def piled(
    placements: Sequence[Placement], bank: CutoutBank, *, rng: np.random.Generator
) -> Iterator[Placement]:
    """Yield all ``placements`` in their order, some red cells moved onto the one before them."""
    before: Placement | None = None
    left, way = 0, 0.0
    for placement in placements:
        if bank.by_id[placement.cutout].kind != "RBC":
            yield placement
            continue
        if before is not None and left:
            way += float(rng.normal(0, _WANDER))
            before, left = _onto(before, placement, way, bank, rng=rng), left - 1
        else:
            begins = rng.random() < _BEGINS
            left = int(rng.choice(_FURTHER)) if begins else 0
            before, way = placement, float(rng.uniform(0, 2 * np.pi))
        yield before


def _onto(
    below: Placement, own: Placement, way: float, bank: CutoutBank, *, rng: np.random.Generator
) -> Placement:
    """Return ``own`` moved so that its middle lies a step from that of ``below``."""
    size, other = (bank.by_id[one.cutout].box for one in (own, below))
    step = float(rng.uniform(*_STEP)) * (other.height + other.width) / 2
    top = below.top + (other.height - size.height) / 2 + step * np.sin(way)
    left = below.left + (other.width - size.width) / 2 + step * np.cos(way)
    return own.model_copy(update={"top": round(top), "left": round(left)})
