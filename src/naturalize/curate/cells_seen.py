"""What one image shows besides red cells: nucleated cells, platelets, parts of cells at its border.

Sizes are told in red cells of the same image, so that magnification does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from naturalize.curate.cut_cells import cut_cells, cut_px, is_platelet, shows_chromatin
from naturalize.curate.landmarks import shrink
from naturalize.curate.nucleated import nucleated_cells
from naturalize.images import Rgb
from naturalize.segment import Mask, Segmenter
from naturalize.segment.stain import Stain, measure_stain

SeenKind = Literal["WBC", "PLT", "part"]

MAX_PIXELS = 1_000_000
REACH = 0.1
"""How far the centre of an image may lie from its cell, as a share of the shorter side."""
GIANT_PLATELET = 2.5
CUT = 0.45
"""What the border lies along less, in diameters of a red cell, only touches it."""
DEEP = 0.1
"""A cell that the border cuts less deep, in diameters of a red cell, has lost hardly anything."""
_RED_CELL_SHARE = 0.21
_PALE, _FAINT = 0.45, 0.3


class SeenCell(NamedTuple):
    """One thing that is no red cell.

    ``kind`` is a mask's, or ``"part"``: what shows of a cell at the border, without a nucleus that
    was segmented. ``row`` and ``column`` are its centre in px; ``area`` is told in red cells,
    ``off_centre`` is the gap between it and the image's centre as a share of the shorter side, and
    ``cut`` the length along which the border cuts it, in diameters of a red cell. ``darkness`` is
    the optical density of its darkest twentieth in green light.
    """

    kind: SeenKind
    row: int
    column: int
    area: float
    off_centre: float
    cut: float
    darkness: float

    @property
    def is_cut(self) -> bool:
        """Whether the border cuts the cell, and deeper than :data:`DEEP` if it is round.

        The depth is that of the circular segment on the cut, for a disc of the cell's area.
        """
        radius = self.area**0.5 / 2
        depth = radius - max(radius**2 - self.cut**2 / 4, 0) ** 0.5
        return self.cut >= CUT and (self.kind == "part" or depth >= DEEP)


Seen = tuple[SeenCell, ...]


def see_cells(rgb: Rgb, segmenter: Segmenter) -> Seen:
    """Return the cells of an image, uint8 (height, width, 3), as ``segmenter`` finds them.

    An image of more than a megapixel is looked at smaller; places are those of the whole image.
    """
    factor = max(1, int(np.ceil((rgb.shape[0] * rgb.shape[1] / MAX_PIXELS) ** 0.5)))
    small = np.ascontiguousarray(shrink(rgb, factor))
    stain = measure_stain(small)
    if stain is None:
        return ()
    masks = segmenter.segment(small)
    diameter = red_cell_diameter(masks, small.shape)
    found: list[tuple[SeenKind, NDArray[np.bool_]]] = [
        *(
            ("PLT" if cut_px(pixels) and is_platelet(pixels, diameter) else "WBC", pixels)
            for pixels in nucleated_cells(stain.foreground, masks, diameter)
        ),
        *(
            _platelet_or_part(mask.to_image(small.shape), stain, diameter)
            for mask in masks
            if mask.kind == "PLT"
        ),
        *(("part", pixels) for pixels in cut_cells(stain, masks, diameter)),
    ]
    green = stain.density[..., 1]
    return tuple(_seen(kind, p, green, diameter, factor) for kind, p in found if p.any())


def with_chromatin(all_seen: Sequence[Seen]) -> list[Seen]:
    """Leave out nucleated cells half as dark as such cells usually are, and the palest parts.

    They show no chromatin; bluish red cells without a nucleus are among them.
    """
    darkness = [cell.darkness for seen in all_seen for cell in seen if cell.kind == "WBC"]
    usual = float(np.median(darkness)) if darkness else 0.0
    least = {"WBC": _PALE * usual, "part": _FAINT * usual, "PLT": 0.0}
    return [tuple(cell for cell in seen if cell.darkness >= least[cell.kind]) for seen in all_seen]


def usual_kinds(labels: Sequence[str], all_seen: Sequence[Seen]) -> Mapping[str, SeenKind]:
    """Return what most images of each class show at their centre: nucleated cells or platelets.

    A class most of whose images show neither is left out.
    """
    counts: dict[str, Counter[SeenKind | None]] = {}
    for label, seen in zip(labels, all_seen, strict=True):
        near = [cell for cell in seen if cell.kind != "part" and cell.off_centre <= REACH]
        nearest = min(near, key=lambda cell: cell.off_centre, default=None)
        counts.setdefault(label, Counter())[nearest.kind if nearest else None] += 1
    most = {label: count.most_common(1)[0][0] for label, count in counts.items()}
    return {label: kind for label, kind in most.items() if kind is not None}


def centre_cell(seen: Seen, usual: SeenKind) -> SeenCell | None:
    """Return the cell an image of a class that shows ``usual`` is centred on, or None.

    Where a class shows platelets, a giant one that was taken for a nucleated cell is one too.
    """
    near = [cell for cell in seen if cell.off_centre <= REACH and _may_be(cell, usual)]
    return min(near, key=lambda cell: (cell.off_centre, -cell.area), default=None)


def _may_be(cell: SeenCell, usual: SeenKind) -> bool:
    covering = cell.kind == "WBC" and cell.off_centre == 0
    giant = usual == "PLT" and covering and cell.area < GIANT_PLATELET
    return cell.kind == usual or giant


def red_cell_diameter(masks: Sequence[Mask], shape: tuple[int, ...]) -> float:
    """Return the median diameter in px of whole red cells, a usual share of the image without."""
    areas = [m.area_px for m in masks if m.kind == "RBC" and not m.touches_border]
    if not areas:
        return _RED_CELL_SHARE * min(shape[:2])
    return 2 * float(np.sqrt(np.median(areas) / np.pi))


def _platelet_or_part(
    pixels: NDArray[np.bool_], stain: Stain, diameter_px: float
) -> tuple[SeenKind, NDArray[np.bool_]]:
    """Tell a cell whose nucleus the border cuts, and that looks small for it, from a platelet."""
    is_cut = cut_px(pixels) >= CUT * diameter_px
    return "part" if is_cut and shows_chromatin(pixels, stain, diameter_px) else "PLT", pixels


def _seen(
    kind: SeenKind,
    pixels: NDArray[np.bool_],
    green: NDArray[np.float32],
    diameter_px: float,
    factor: int,
) -> SeenCell:
    rows, columns = np.nonzero(pixels)
    height, width = pixels.shape
    gap = float(np.hypot(rows + 0.5 - height / 2, columns + 0.5 - width / 2).min())
    return SeenCell(
        kind,
        factor * int(rows.mean()),
        factor * int(columns.mean()),
        round(rows.size / (np.pi / 4 * diameter_px**2), 3),
        round(max(0.0, gap - 1) / min(height, width), 3),
        round(cut_px(pixels) / diameter_px, 3),
        round(float(np.quantile(green[pixels], 0.95)), 3),
    )
