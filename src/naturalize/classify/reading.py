"""What the reader says of one cell, and of a whole field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask


@dataclass(frozen=True, eq=False)
class CellReading:
    """One cell: its most probable class, and how sure that is.

    ``probabilities`` belong to the reader's classes, in their order; ``classes`` is the conformal
    set, the most probable first; ``reasons`` say why a person should look, none if nobody must.
    ``box`` is the cell's, None where nothing was segmented; ``view`` is what the network saw, an
    array or an image file's bytes. Where no cell was found, ``label`` and ``classes`` are empty.
    """

    label: str
    probability: float
    probabilities: tuple[float, ...]
    classes: tuple[str, ...]
    reasons: tuple[str, ...]
    box: Box | None
    view: Rgb | bytes | None

    @property
    def review(self) -> bool:
        """Whether a person should look at the cell."""
        return bool(self.reasons)


@dataclass(frozen=True, eq=False)
class FieldReading:
    """One field of view: ``cells`` are its nucleated cells, read; ``masks`` all that was found.

    The first masks are those of ``cells``, in their order.
    """

    cells: Sequence[CellReading]
    masks: Sequence[Mask]
    shape: tuple[int, int]

    @property
    def red_cells(self) -> int:
        """Number of red cells, those cut by the border included."""
        return sum(mask.kind == "RBC" for mask in self.masks)

    @property
    def platelets(self) -> int:
        """Number of platelets, nucleated-looking ones that were read as such included."""
        small = sum(mask.kind == "PLT" for mask in self.masks)
        return small + sum(cell.label == "PLT" for cell in self.cells)

    def counts(self) -> Mapping[str, int]:
        """Return how many whole cells were read as each class; cut ones are not counted."""
        whole = zip(self.cells, self.masks, strict=False)
        return Counter(cell.label for cell, mask in whole if not mask.touches_border)


def unread(reason: str, view: Rgb | None = None) -> CellReading:
    """Return what is said where there is no cell to read; ``view`` shows the picture."""
    return CellReading("", 0.0, (), (), (reason,), None, view)
