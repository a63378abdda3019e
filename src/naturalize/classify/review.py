"""Why a person should look at a cell. Reasons in words, the gravest first."""

from __future__ import annotations

from naturalize.classify.reader_info import Limits

NO_CELL = "no blood cell found"
SEVERAL = "several cells"
CUT = "cut by the border"
UNFAMILIAR = "unfamiliar cell"
BLURRED = "out of focus"
LOW_MARGIN = "low margin"
SEVERAL_CLASSES = "several classes possible"
REASONS = (NO_CELL, UNFAMILIAR, SEVERAL, CUT, BLURRED, LOW_MARGIN, SEVERAL_CLASSES)


def reasons_for(
    limits: Limits,
    *,
    margin: float,
    unfamiliarity: float,
    sharpness: float,
    set_size: int,
    others: int = 0,
    cut: bool = False,
) -> tuple[str, ...]:
    """Return the reasons that hold.

    ``margin`` is the most probable class's over the second, ``unfamiliarity`` as in
    :mod:`naturalize.classify.familiarity`, ``sharpness`` as in :mod:`naturalize.curate.focus`,
    ``others`` the number of further whole cells, ``cut`` whether the border cuts the cell.
    """
    holds = {
        UNFAMILIAR: unfamiliarity > limits.most_unfamiliar,
        SEVERAL: others > 0,
        CUT: cut,
        BLURRED: sharpness < limits.least_sharpness,
        LOW_MARGIN: margin < limits.least_margin,
        SEVERAL_CLASSES: set_size > 1,
    }
    return tuple(reason for reason, true in holds.items() if true)
