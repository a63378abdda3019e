"""A table of text and numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from naturalize.errors import InputError
from naturalize.page.block import join

Cell = str | int | float


@dataclass(frozen=True)
class Table:
    """Rows below named columns; the first column names the row.

    ``numeric`` lists the positions of columns to align right. Whole numbers get thousands
    separators and other numbers three decimals; text stays as it is. Raises :class:`InputError`
    where a row does not fit the columns.

    >>> "<td class='numeric'>1,690</td>" in Table(["", "n"], [["test", 1690]], numeric=[1]).html()
    True
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    numeric: Collection[int] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError("rows", f"{len(self.columns)} cells a row", len(row))
        outside = set(self.numeric) - set(range(len(self.columns)))
        if outside:
            raise InputError("numeric", f"columns below {len(self.columns)}", min(outside))

    def html(self) -> Markup:
        """Return the table, caption above; it scrolls sideways where the page is too narrow."""
        head = join(
            Markup("<th scope='col'{}>{}</th>").format(self._align(i), column)
            for i, column in enumerate(self.columns)
        )
        body = join(self._row(row) for row in self.rows)
        caption = Markup("<caption>{}</caption>\n").format(self.caption) if self.caption else ""
        return Markup(
            '<div class="table"><table>\n{}<thead><tr>\n{}\n</tr></thead>\n'
            "<tbody>\n{}\n</tbody>\n</table></div>"
        ).format(caption, head, body)

    def _row(self, row: Sequence[Cell]) -> Markup:
        first, *rest = row
        cells = [Markup("<th scope='row'{}>{}</th>").format(self._align(0), _text(first))]
        cells += [
            Markup("<td{}>{}</td>").format(self._align(i), _text(cell))
            for i, cell in enumerate(rest, start=1)
        ]
        return Markup("<tr>{}</tr>").format(Markup("").join(cells))

    def _align(self, column: int) -> Markup:
        return Markup(" class='numeric'") if column in self.numeric else Markup()


def _text(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.3f}"
