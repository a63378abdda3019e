"""Values with their intervals, one below the other (a forest plot)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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

_ROW = 30.0


class IntervalLike(Protocol):
    """Anything with a value and the ends of its interval."""

    @property
    def value(self) -> float:
        """The estimate."""
        ...

    @property
    def low(self) -> float:
        """The lower end."""
        ...

    @property
    def high(self) -> float:
        """The upper end."""
        ...


def interval_plot(
    rows: Sequence[tuple[str, IntervalLike]],
    *,
    title: str,
    x_label: str = "",
    reference: float | None = None,
    digits: int = 3,
) -> Markup:
    """Draw one row for each (label, interval): a dot, a whisker, and the numbers in words.

    ``reference`` draws a dashed line, at 0 for differences; ``digits`` are the decimals of the
    numbers. Raises :class:`InputError` without rows.
    """
    if not rows:
        raise InputError("rows", "at least one interval", "none")
    written = [_numbers(interval, digits, signed=reference == 0) for _, interval in rows]
    left = max(text_width(label) for label, _ in rows) + 16
    numbers_width = max(text_width(numbers) for numbers in written) + 16
    width = max(WIDTH, left + 240 + numbers_width)
    shown = [v for _, i in rows for v in (i.value, i.low, i.high)]
    axis = axis_around(
        [*shown, *([] if reference is None else [reference])], left, width - numbers_width
    )
    bottom = _ROW * len(rows) + 6
    parts = _grid(axis, bottom, x_label, reference)
    for index, ((label, interval), numbers) in enumerate(zip(rows, written, strict=True)):
        y = _ROW * (index + 0.5) + 3
        parts += _row(label, interval, axis, y)
        look = {"text_anchor": "end", "font_variant_numeric": "tabular-nums"}
        parts.append(text(width, y + 5, numbers, **look))
    described = "; ".join(f"{label}: {n}" for (label, _), n in zip(rows, written, strict=True))
    return drawing(title, described, parts, height=bottom + (48 if x_label else 26), width=width)


def _row(label: str, interval: IntervalLike, axis: Axis, y: float) -> list[Markup]:
    low, high = axis.at(interval.low), axis.at(interval.high)
    colour = PALETTE[0]
    ends = [line(x, y - 5, x, y + 5, stroke=colour, stroke_width=2) for x in (low, high)]
    return [
        text(axis.start - 16, y + 5, label, text_anchor="end"),
        line(low, y, high, y, stroke=colour, stroke_width=2),
        *ends,
        element("circle", cx=axis.at(interval.value), cy=y, r=5, fill=colour),
    ]


def _grid(axis: Axis, bottom: float, x_label: str, reference: float | None) -> list[Markup]:
    parts = []
    for tick in axis.ticks():
        x = axis.at(tick)
        parts.append(line(x, 0.0, x, bottom, stroke=RULE))
        parts.append(
            text(x, bottom + 18, axis.label(tick), text_anchor="middle", fill=QUIET, font_size=13)
        )
    if reference is not None:
        x = axis.at(reference)
        parts.append(line(x, 0.0, x, bottom, stroke_dasharray="5 4", stroke_width=1.5))
    if x_label:
        middle = (axis.start + axis.end) / 2
        parts.append(text(middle, bottom + 26 + FONT, x_label, text_anchor="middle", fill=QUIET))
    return parts


def _numbers(interval: IntervalLike, digits: int, *, signed: bool) -> str:
    """Write an interval: ``0.926 [0.911, 0.940]``, with signs where it is a difference."""
    sign = "+" if signed else ""
    value, low, high = (
        f"{number:{sign}.{digits}f}".replace("-", "−")
        for number in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"
