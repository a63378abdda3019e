"""What was read, as the CSV and JSON that scripts rely on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from naturalize.classify.reading import CellReading
from naturalize.datasets.manifest import write_table

COLUMNS = (
    *("path", "top", "left", "height", "width"),
    *("label", "probability", "set", "review", "reason"),
)


def cells_csv(rows: Sequence[tuple[str, CellReading]], classes: Sequence[str]) -> str:
    """Return one line a cell, of (path, reading); then one column a class, its probability.

    The set is written with spaces between, ``review`` as yes or no, reasons with semicolons.
    """
    return write_table([*COLUMNS, *classes], (_row(path, one, classes) for path, one in rows))


def cell_entry(path: str, cell: CellReading, classes: Sequence[str]) -> dict[str, Any]:
    """Return one cell as values JSON can hold."""
    box = cell.box
    return {
        "path": path,
        "box": None if box is None else [box.top, box.left, box.height, box.width],
        "label": cell.label,
        "probability": round(cell.probability, 4),
        "set": list(cell.classes),
        "review": cell.review,
        "reasons": list(cell.reasons),
        "probabilities": {
            name: round(share, 4)
            for name, share in zip(classes, cell.probabilities, strict=bool(cell.label))
        },
    }


def _row(path: str, cell: CellReading, classes: Sequence[str]) -> list[object]:
    box, shares = cell.box, [f"{share:.4f}" for share in cell.probabilities]
    place: list[object] = [""] * 4
    if box is not None:
        place = [box.top, box.left, box.height, box.width]
    return [
        path,
        *place,
        cell.label,
        f"{cell.probability:.4f}" if cell.label else "",
        " ".join(cell.classes),
        "yes" if cell.review else "no",
        "; ".join(cell.reasons),
        *(shares or [""] * len(classes)),
    ]
