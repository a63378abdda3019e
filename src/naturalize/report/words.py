"""Numbers as a report writes them."""

from __future__ import annotations

import re

from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.comparison import Comparison

MAY_BE_CHANCE = 0.05


def said(interval: Interval, *, signed: bool = False) -> str:
    """Write an interval on one line that does not break.

    >>> said(Interval(-0.01, -0.02, 0.0), signed=True).replace(chr(160), " ")
    '−0.010 [−0.020, +0.000]'
    """
    return minus(interval.said(signed=signed)).replace(" ", "\u00a0")


def minus(text: str) -> str:
    """Write a true minus before numbers; hyphens in words stay."""
    return re.sub(r"(?<!\w)-(?=\d)", "\u2212", text)


def p_value(p: float) -> str:
    """Write a p-value with three decimals.

    >>> p_value(0.0004)
    '< .001'
    """
    return f"{p:.3f}" if p >= 0.001 else "< .001"


def doubt(comparison: Comparison) -> str:
    """Say that a difference whose interval holds no 0 may be chance among several comparisons.

    Nothing where Holm's correction leaves it standing, or where there is no difference to doubt.
    """
    gain, p = comparison.macro_f1, comparison.holm_p
    if gain.low <= 0 <= gain.high or p < MAY_BE_CHANCE:
        return ""
    return f"; among as many comparisons as these it may be chance (Holm’s p {p:.2f})"
