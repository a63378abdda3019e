"""Numbers as a report writes them."""

from __future__ import annotations

import re

from naturalize.evaluate.bootstrap import Interval


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
