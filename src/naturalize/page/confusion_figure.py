"""A confusion matrix one can read in print: counts, shaded by the share of their row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.page.svg import PALETTE, QUIET, RULE, WIDTH, drawing, element, text, text_width

_RIGHT, _WRONG = PALETTE[0], PALETTE[1]
_LEGEND = (0.01, 0.05, 0.25, 1.0)


def confusion_figure(
    matrix: NDArray[np.int64] | Sequence[Sequence[int]], classes: Sequence[str], *, title: str
) -> Markup:
    """Draw counts of true (rows) against predicted (columns) class, with recall at the right.

    Right answers lie on the diagonal in blue, errors beside it in orange; the shade grows with the
    square root of the cell's share of its row, so that a few per cent still show. Raises
    :class:`InputError` where the matrix does not fit ``classes``.
    """
    counts = np.asarray(matrix, np.int64)
    if counts.shape != (len(classes), len(classes)) or not classes:
        raise InputError("matrix", f"shape {(len(classes),) * 2}", counts.shape)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    longest = max(text_width(label) for label in classes)
    left, recall = longest + 46, 76.0
    cell = float(np.clip((WIDTH - left - recall) / len(classes), 44, 56))
    slanted = longest > cell - 4
    top = 30 + (0.75 * longest + 8 if slanted else 24)
    parts = _headings(classes, left, top, cell, slanted=slanted)
    for row, label in enumerate(classes):
        y = top + cell * (row + 0.5)
        parts.append(text(left - 10, y + 5, label, text_anchor="end"))
        parts.append(_recall(counts, row, left + cell * len(classes) + 14, y + 5))
        for column in range(len(classes)):
            corner = (left + cell * column, top + cell * row)
            share = float(shares[row, column])
            right = row == column
            parts += _cell(int(counts[row, column]), share, corner, cell, right=right)
    bottom = top + cell * len(classes)
    parts += _legend(left, bottom + 18)
    beside = max(recall, 0.75 * longest) if slanted else recall
    width = max(WIDTH, left + cell * len(classes) + beside)
    described = "Rows are true classes, columns predicted ones. " + "; ".join(
        f"{label}: {', '.join(map(str, row))}"
        for label, row in zip(classes, counts.tolist(), strict=True)
    )
    return drawing(title, described, parts, height=bottom + 46, width=width)


def _cell(
    count: int, share: float, corner: tuple[float, float], side: float, *, right: bool
) -> list[Markup]:
    x, y = corner
    fill, ink = _shade(share, right=right)
    square = element("rect", x=x, y=y, width=side, height=side, fill=fill, stroke="#ffffff")
    if not count:
        return [square]
    number = f"{count:,}" if count < 100_000 else f"{count / 1000:,.0f}k"
    size = min(14.0, (side - 4) / (0.62 * len(number)))
    middle = {"text_anchor": "middle", "font_size": size, "fill": ink}
    return [square, text(x + side / 2, y + side / 2 + size / 3, number, **middle)]


def _shade(share: float, *, right: bool) -> tuple[str, str]:
    """Return the fill of a cell and an ink that can be read on it."""
    if share == 0:
        return "#f5f7f9", "#000000"
    full = np.array([int((_RIGHT if right else _WRONG)[i : i + 2], 16) for i in (1, 3, 5)])
    mixed = np.rint(255 + (full - 255) * np.sqrt(share)).astype(int)
    luminance = mixed @ [0.2126, 0.7152, 0.0722]
    return "#{:02x}{:02x}{:02x}".format(*mixed), "#ffffff" if luminance < 140 else "#000000"


def _headings(
    classes: Sequence[str], left: float, top: float, cell: float, *, slanted: bool
) -> list[Markup]:
    grid = cell * len(classes)
    parts = [
        text(left + grid / 2, 14.0, "predicted class", text_anchor="middle", fill=QUIET),
        text(left + grid + 14, top - 10, "recall", fill=QUIET),
    ]
    y = top + grid / 2
    turned = {"text_anchor": "middle", "fill": QUIET, "transform": f"rotate(-90 14 {y:.1f})"}
    parts.append(text(14.0, y, "true class", **turned))
    for column, label in enumerate(classes):
        x, y = left + cell * (column + 0.5), top - 10
        if slanted:
            parts.append(text(x, y, label, transform=f"rotate(-45 {x:.1f} {y:.1f})"))
        else:
            parts.append(text(x, y, label, text_anchor="middle"))
    return parts


def _recall(counts: NDArray[np.int64], row: int, x: float, y: float) -> Markup:
    total = int(counts[row].sum())
    words = f"{counts[row, row] / total:.1%}" if total else "no samples"
    return text(x, y, words, font_variant_numeric="tabular-nums")


def _legend(left: float, y: float) -> list[Markup]:
    parts = [text(left, y + 13, "share of the true class:", fill=QUIET, font_size=13)]
    x = left + text_width("share of the true class:", 12) + 8
    for share in _LEGEND:
        for right in (True, False):
            box = {"width": 16, "height": 16, "stroke": RULE, "fill": _shade(share, right=right)[0]}
            parts.append(element("rect", x=x, y=y, **box))
            x += 16
        parts.append(text(x + 5, y + 13, f"{share:.0%}", fill=QUIET, font_size=13))
        x += 50
    return parts
