"""Curves over a common horizontal axis, such as losses over epochs or scores over dose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from naturalize.errors import InputError
from naturalize.page.svg import (
    FONT,
    PALETTE,
    QUIET,
    RULE,
    WIDTH,
    Axis,
    axis_around,
    drawing,
    element,
    line,
    text,
    text_width,
)

Points = Sequence[tuple[float, float]]
_TOP, _BOTTOM = 30.0, 310.0
_DASHES = ("none", "8 4", "2 3", "8 3 2 3", "14 4", "4 4", "none")


def lines(
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    *,
    title: str,
) -> Markup:
    """Draw each series of (x, y) points as a curve with its name at its end.

    Up to seven series, told apart by dashes as well as by colour. Raises :class:`InputError` for
    more, or where a series has no points or a number that is not finite.
    """
    _check(series)
    points = [point for curve in series.values() for point in curve]
    vertical = axis_around([y for _, y in points], _BOTTOM, _TOP)
    left = max(text_width(vertical.label(tick), 13) for tick in vertical.ticks()) + 12
    names = max(text_width(name) for name in series) + 34
    width = max(WIDTH, left + 300 + names)
    horizontal = axis_around([x for x, _ in points], left, width - names, margin=0.01)
    parts = _grid(horizontal, vertical, x_label, y_label)
    heights = _apart([vertical.at(sorted(curve)[-1][1]) for curve in series.values()])
    looks = zip(series.items(), PALETTE, _DASHES, heights, strict=False)
    for (name, curve), colour, dashes, height in looks:
        placed = [(horizontal.at(x), vertical.at(y)) for x, y in sorted(curve)]
        parts += _curve(placed, colour, dashes)
        parts += _name(name, placed[-1], (horizontal.end + 26, height), colour)
    described = "; ".join(
        f"{name}: from {sorted(curve)[0][1]:g} to {sorted(curve)[-1][1]:g}"
        for name, curve in series.items()
    )
    return drawing(title, described, parts, height=_BOTTOM + 48, width=width)


def _check(series: Mapping[str, Points]) -> None:
    if not 1 <= len(series) <= len(PALETTE):
        raise InputError("series", f"1 to {len(PALETTE)}", len(series))
    for name, curve in series.items():
        if not curve:
            raise InputError(f"series {name}", "at least one point", "none")
        if not all(math.isfinite(number) for point in curve for number in point):
            raise InputError(f"series {name}", "finite numbers", "NaN or infinity")


def _curve(placed: Points, colour: str, dashes: str) -> list[Markup]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    look = {"fill": "none", "stroke": colour, "stroke_width": 2.25, "stroke_dasharray": dashes}
    curve = element("polyline", points=path, **look)
    if len(placed) > 25:
        return [curve]
    return [curve, *(element("circle", cx=x, cy=y, r=3, fill=colour) for x, y in placed)]


def _name(
    name: str, end: tuple[float, float], place: tuple[float, float], colour: str
) -> list[Markup]:
    """Write the name of a curve at ``place``; dots that are no data lead there from its end."""
    (x, y), (left, height) = end, place
    dots = {"stroke_width": 1.0, "stroke_dasharray": "1 3"}
    leader = line(x, y, left - 4, height, stroke=colour, **dots)
    return [leader, text(left, height + 5, name)]


def _grid(horizontal: Axis, vertical: Axis, x_label: str, y_label: str) -> list[Markup]:
    small = {"fill": QUIET, "font_size": 13}
    parts = []
    for tick in vertical.ticks():
        y = vertical.at(tick)
        parts.append(line(horizontal.start, y, horizontal.end, y, stroke=RULE))
        words = vertical.label(tick)
        parts.append(text(horizontal.start - 8, y + 5, words, text_anchor="end", **small))
    for tick in horizontal.ticks():
        x, words = horizontal.at(tick), horizontal.label(tick)
        parts.append(line(x, _BOTTOM, x, _BOTTOM + 5))
        parts.append(text(x, _BOTTOM + 20, words, text_anchor="middle", **small))
    middle = (horizontal.start + horizontal.end) / 2
    return [
        *parts,
        line(horizontal.start, _BOTTOM, horizontal.end, _BOTTOM),
        text(0.0, 14.0, y_label, fill=QUIET),
        text(middle, _BOTTOM + 28 + FONT, x_label, text_anchor="middle", fill=QUIET),
    ]


def _apart(heights: Sequence[float], *, gap: float = 18.0) -> list[float]:
    """Move labels down until neighbours are ``gap`` apart, then up where they leave the plot."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    limit = _BOTTOM
    for index in reversed(order):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed
