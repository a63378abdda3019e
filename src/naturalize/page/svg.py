"""Drawing SVG as text: elements, linear axes, and a palette that the colour-blind can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 760.0
"""The width of a drawing in its own units; about that of the page's text in pixels."""

FONT = 14.0
INK, QUIET, RULE = "#1d2329", "#59636e", "#d5dae0"

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), without the yellow."""


def element(name: str, *children: Markup, **attributes: object) -> Markup:
    """Return one element; ``stroke_width=1`` becomes ``stroke-width="1"``, floats one decimal.

    >>> print(element("line", x1=0.0, x2=10.04, stroke_width=1))
    <line x1="0.0" x2="10.0" stroke-width="1"/>
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"), f"{v:.1f}" if isinstance(v, float) else v
        )
        for key, v in attributes.items()
    )
    if not children:
        return Markup("<{}{}/>").format(Markup(name), written)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, Markup("").join(children))


def text(x: float, y: float, words: str, **attributes: object) -> Markup:
    """Return words whose baseline begins at (x, y), or is anchored there with ``text_anchor``."""
    return element("text", Markup.escape(words), x=x, y=y, **{"fill": INK, **attributes})


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": INK, **attributes})


def drawing(
    title: str, description: str, parts: list[Markup], *, height: float, width: float = WIDTH
) -> Markup:
    """Return a whole drawing that scales with the page, named for those who can't see it.

    On a narrow screen it stops shrinking at seven tenths, where its text is still legible, and
    scrolls.
    """
    named = [element("title", Markup.escape(title)), element("desc", Markup.escape(description))]
    return element(
        "svg",
        *named,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="img",
        font_size=FONT,
        style=f"max-width: {width:.0f}px; min-width: {0.7 * width:.0f}px",
    )


def text_width(words: str, size: float = FONT) -> float:
    """Estimate how wide ``words`` will be in a wide sans-serif face, on the safe side."""
    wide = sum(letter.isupper() or letter in "mw%+−" for letter in words)
    return size * (0.62 * len(words) + 0.2 * wide)


@dataclass(frozen=True)
class Axis:
    """A linear scale from data (``low``, ``high``) to drawing units (``start``, ``end``).

    ``whole`` says that only whole numbers make sense as ticks: counts, epochs.
    """

    low: float
    high: float
    start: float
    end: float
    whole: bool = False

    def at(self, value: float) -> float:
        """Return where ``value`` lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> tuple[float, ...]:
        """Return up to about six round values on the axis, fewer where it is short.

        >>> Axis(0, 1, 0, 500).ticks()
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
        >>> Axis(1, 3, 0, 500, whole=True).ticks()
        (1.0, 2.0, 3.0)
        """
        step = self._step()
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(round(i * step, 12) for i in range(first, last + 1))

    def label(self, value: float) -> str:
        """Write ``value`` with as many decimals as neighbouring ticks need, and a true minus."""
        decimals = max(0, -math.floor(math.log10(self._step()) + 1e-9))
        return f"{value:,.{decimals}f}".replace("-", "−")

    def _step(self) -> float:
        """Return a step of 1, 2 or 5 times a power of ten."""
        count = max(2, min(6, int(abs(self.end - self.start) // 50)))
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
        return max(step, 1.0) if self.whole else step


def axis_around(values: Sequence[float], start: float, end: float, *, margin: float = 0.04) -> Axis:
    """Return an axis that holds all ``values``, which are finite, with some room at both ends."""
    low, high = min(values), max(values)
    room = margin * (high - low) or max(abs(high) * margin, 0.01)
    whole = all(float(value).is_integer() for value in values)
    return Axis(low - room, high + room, start, end, whole)
