"""Finding: a nucleated cell that the image's border cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from naturalize.curate.cells_seen import Seen, SeenCell, SeenKind, centre_cell
from naturalize.curate.finding import Finding
from naturalize.datasets.sample import Sample


def find_fragments(
    samples: Sequence[Sample], all_seen: Sequence[Seen], usual: Mapping[str, SeenKind]
) -> Iterator[Finding]:
    """Yield a finding for each image that shows part of a nucleated cell at its border.

    ``all_seen`` belongs to ``samples``, ``usual`` is what :func:`usual_kinds` says of them. The
    centred cell may touch the border. The value is what shows of the largest part, in areas of a
    red cell.
    """
    for sample, seen in zip(samples, all_seen, strict=True):
        if sample.label not in usual:
            continue
        centred = centre_cell(seen, usual[sample.label])
        parts = [c for c in seen if c.kind != "PLT" and c.is_cut and c is not centred]
        parts.sort(key=lambda cell: -cell.area)
        if parts:
            yield Finding(
                kind="fragment",
                path=sample.id,
                value=f"{parts[0].area:.2f}",
                reason=_reason(parts),
            )


def _reason(parts: Sequence[SeenCell]) -> str:
    places = "; ".join(
        f"row {cell.row}, column {cell.column} ({cell.area:.2f} of a red cell's area shows)"
        for cell in parts
    )
    cut = "a nucleated cell" if len(parts) == 1 else f"{len(parts)} nucleated cells"
    return f"{cut} cut by the border: {places}"
