"""Finding: more than one whole nucleated cell in an image that is filed under one class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from naturalize.curate.cells_seen import Seen, SeenCell, SeenKind, centre_cell
from naturalize.curate.finding import Finding
from naturalize.datasets.sample import Sample

MIN_AREA = 0.65
"""Smaller than any nucleated cell, larger than most giant platelets; in red cells."""


def find_multicell(
    samples: Sequence[Sample], all_seen: Sequence[Seen], usual: Mapping[str, SeenKind]
) -> Iterator[Finding]:
    """Yield a finding for each image that shows a whole nucleated cell beside the centred one.

    ``all_seen`` belongs to ``samples``, ``usual`` is what :func:`usual_kinds` says of them. The
    value is the area of the largest such cell over that of the centred one. Where none is centred,
    a class that shows platelets has all its nucleated cells counted, another all but the largest.
    """
    for sample, seen in zip(samples, all_seen, strict=True):
        if sample.label not in usual:
            continue
        centred = centre_cell(seen, usual[sample.label])
        others = [c for c in seen if _is_whole(c) and c is not centred]
        others.sort(key=lambda cell: -cell.area)
        if centred is None and usual[sample.label] == "WBC":
            centred, others = next(iter(others), None), others[1:]
        if others:
            yield Finding(
                kind="multicell",
                path=sample.id,
                value=f"{others[0].area / centred.area:.2f}" if centred else "",
                reason=_reason(others),
            )


def _is_whole(cell: SeenCell) -> bool:
    return cell.kind == "WBC" and not cell.is_cut and cell.area >= MIN_AREA


def _reason(others: Sequence[SeenCell]) -> str:
    places = "; ".join(f"row {cell.row}, column {cell.column}" for cell in others)
    whole = "a whole nucleated cell" if len(others) == 1 else f"{len(others)} whole nucleated cells"
    return f"{whole} beside what the image is centred on: {places}"
