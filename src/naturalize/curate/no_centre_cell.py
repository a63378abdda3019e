"""Finding: an image that does not show at its centre what its class usually does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from naturalize.curate.cells_seen import Seen, SeenKind, centre_cell
from naturalize.curate.finding import Finding
from naturalize.datasets.sample import Sample

NAMES: dict[SeenKind, str] = {"WBC": "nucleated cell", "PLT": "platelet"}


def find_no_centre_cell(
    samples: Sequence[Sample], all_seen: Sequence[Seen], usual: Mapping[str, SeenKind]
) -> Iterator[Finding]:
    """Yield a finding for each image without a nucleated cell, or platelet, near its centre.

    ``all_seen`` belongs to ``samples``; ``usual`` says, as :func:`usual_kinds` finds it, which of
    the two an image's class shows; classes that show neither are not judged. The value is how far
    off the nearest one lies, as a share of the shorter side, or empty if there is none.
    """
    for sample, seen in zip(samples, all_seen, strict=True):
        kind = usual.get(sample.label)
        if kind is None or centre_cell(seen, kind) is not None:
            continue
        name = NAMES[kind]
        gaps = [cell.off_centre for cell in seen if cell.kind == kind]
        nearest = f"the nearest is {min(gaps):.0%} of the image away" if gaps else "nor elsewhere"
        yield Finding(
            kind="no_centre_cell",
            path=sample.id,
            value=f"{min(gaps):.2f}" if gaps else "",
            reason=f"no {name} at the centre, which images of {sample.label} show; {nearest}",
        )
