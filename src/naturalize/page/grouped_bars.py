"""Bars for a few series over the same categories, such as class counts before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from naturalize.errors import InputError
from naturalize.page.svg import (
    PALETTE,
    QUIET,
    RULE,
    WIDTH,
    Axis,
    drawing,
    element,
    line,
    text,
    text_width,
)

_TOP, _BAR, _GAP = 32.0, 16.0, 12.0
_LOOKS: tuple[dict[str, object], ...] = (
    {"fill": PALETTE[0], "stroke": PALETTE[0]},
    {"fill": "#f9dcc4", "stroke": PALETTE[1]},
    {"fill": "#ffffff", "stroke": PALETTE[2], "stroke_dasharray": "4 2"},
    {"fill": "#444444", "stroke": "#000000"},
)


def grouped_bars(
    categories: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    x_label: str = "",
) -> Markup:
    """Draw one group of lying bars for each category, one bar for each series, from zero.

    The value stands at the end of each bar. Up to four series, told apart by fill and outline as
    well as by colour. Raises :class:`InputError` for more, for a series of another length or with
    numbers below zero or not finite.
    """
    _check(categories, series)
    values = [value for column in series.values() for value in column]
    left = max(text_width(category) for category in categories) + 12
    room = max(text_width(_number(value), 13) for value in values) + 10
    width = max(WIDTH, left + 240 + room)
    axis = Axis(0, max(values) or 1, left, width - room, all(v == round(v) for v in values))
    slot = _BAR * len(series) + _GAP
    bottom = _TOP + slot * len(categories)
    parts = _grid(axis, bottom, x_label) + _legend(list(series), left)
    for index, category in enumerate(categories):
        top = _TOP + slot * index + _GAP / 2
        middle = top + _BAR * len(series) / 2
        parts.append(text(left - 10, middle + 5, category, text_anchor="end"))
        parts += _bars([column[index] for column in series.values()], axis, top)
    parts.append(line(left, _TOP, left, bottom))
    described = "; ".join(
        f"{name}: " + ", ".join(f"{c} {_number(v)}" for c, v in zip(categories, row, strict=True))
        for name, row in series.items()
    )
    return drawing(title, described, parts, height=bottom + (46 if x_label else 24), width=width)


def _check(categories: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
    if not categories:
        raise InputError("categories", "at least one", "none")
    if not 1 <= len(series) <= len(_LOOKS):
        raise InputError("series", f"1 to {len(_LOOKS)}", len(series))
    for name, values in series.items():
        if len(values) != len(categories):
            raise InputError(f"series {name}", f"{len(categories)} values", len(values))
        wrong = [value for value in values if not 0 <= value < math.inf]
        if wrong:
            raise InputError(f"series {name}", "finite numbers from 0", wrong[0])


def _bars(values: Sequence[float], axis: Axis, top: float) -> list[Markup]:
    parts = []
    for index, (value, look) in enumerate(zip(values, _LOOKS, strict=False)):
        y, end = top + _BAR * index, axis.at(value)
        box = {"x": axis.start, "y": y + 1, "width": end - axis.start, "height": _BAR - 2}
        parts.append(element("rect", **box, **look))
        parts.append(text(end + 6, y + _BAR - 3.5, _number(value), font_size=13))
    return parts


def _grid(axis: Axis, bottom: float, x_label: str) -> list[Markup]:
    parts = []
    for tick in axis.ticks():
        x, words = axis.at(tick), axis.label(tick)
        parts.append(line(x, _TOP, x, bottom, stroke=RULE))
        parts.append(text(x, bottom + 18, words, text_anchor="middle", fill=QUIET, font_size=13))
    if x_label:
        middle = (axis.start + axis.end) / 2
        parts.append(text(middle, bottom + 40, x_label, text_anchor="middle", fill=QUIET))
    return parts


def _legend(names: Sequence[str], left: float) -> list[Markup]:
    if len(names) == 1:
        return []
    parts, x = [], left
    for name, look in zip(names, _LOOKS, strict=False):
        parts.append(element("rect", x=x + 1, y=3.0, width=14, height=14, **look))
        parts.append(text(x + 22, 15.0, name))
        x += 22 + text_width(name) + 18
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:.2f}"
