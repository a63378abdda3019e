"""How far one picture may be trusted: five figures, each an independent question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from naturalize.explain.faithfulness import deletion, insertion
from naturalize.explain.member import Member
from naturalize.explain.road import road
from naturalize.explain.score_cam import CamSettings, Heat
from naturalize.images import Rgb

LIKE_UNTRAINED = 0.5
"""From this rank correlation on, an untrained network draws nearly the same picture."""


@dataclass(frozen=True)
class Trust:
    """Figures on one picture; None where there is nothing to measure.

    ``deletion`` (low is good) and ``insertion`` (high is good): see
    :mod:`~naturalize.explain.faithfulness`. ``road`` (above 0 is good): see
    :mod:`~naturalize.explain.road`. ``in_cell`` is the share of the heat inside the cell's mask,
    ``cell_area`` the share of the square that the cell covers, which even heat would give.
    ``like_untrained`` (near 0 is good) is the rank correlation with the picture of the same network
    with weights drawn at random (Adebayo et al. 2018, arXiv:1810.03292), None where it draws none.
    """

    deletion: float
    insertion: float
    road: float
    in_cell: float | None
    cell_area: float | None
    like_untrained: float | None

    def doubts(self) -> tuple[str, ...]:
        """Say in words what speaks against the picture."""
        found = []
        if self.road <= 0:
            found.append("hot pixels matter no more than cold ones")
        if self.insertion <= self.deletion:
            found.append("without its hot pixels the class fares as well as with them alone")
        if self.in_cell is not None and self.in_cell <= (self.cell_area or 0):
            found.append("heat lies on the cell no more than beside it")
        if self.like_untrained is not None and self.like_untrained >= LIKE_UNTRAINED:
            found.append("an untrained network draws much the same")
        return tuple(found)


FIGURES = tuple(field.name for field in fields(Trust))


def measure_trust(
    member: Member,
    square: Rgb,
    heat: Heat,
    target: int,
    settings: CamSettings,
    *,
    cell: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> Trust:
    """Measure a picture of class number ``target``; ``cell`` is the mask (S, S) if it is known."""

    def ask(squares: Sequence[Rgb]) -> NDArray[np.float32]:
        return member.probabilities(squares)[:, target]

    untrained = member.heat(square, target, settings, trained=False)
    return Trust(
        deletion=deletion(ask, square, heat, member.blank),
        insertion=insertion(ask, square, heat),
        road=road(ask, square, heat, rng=rng),
        in_cell=None if cell is None or not heat.any() else float(heat[cell].sum() / heat.sum()),
        cell_area=None if cell is None else float(cell.mean()),
        like_untrained=likeness(heat, untrained),
    )


def likeness(one: Heat, other: Heat) -> float | None:
    """Return Spearman's rank correlation of two pictures, None where one is even.

    >>> likeness(np.float32([[0, 1], [2, 3]]), np.float32([[0, 2], [4, 9]]))
    1.0
    """
    if not (np.ptp(one) and np.ptp(other)):
        return None
    return float(spearmanr(one, other, axis=None).statistic)


def means(found: Sequence[Trust]) -> dict[str, float | None]:
    """Return the mean of each figure over the pictures that have it."""
    columns = zip(*map(astuple, found), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return {
        name: round(float(np.mean(values)), 4) if values else None
        for name, values in zip(FIGURES, known, strict=True)
    }
