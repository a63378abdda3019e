"""Finding: images that show overlapping parts of one slide region.

Neighbouring cells, centred in turn, give two files that hold the same pixels at a shift. Hashes and
embeddings of whole images miss them. Here every image is reduced to a few landmarks; landmarks that
look alike propose a shift, which the whole overlap must confirm: first reduced, then in full, then
in its detail. Where a quarter or more is shared, pairs of one region correlate at .99 and above on
PBC (detail .87 and above), at .94 and above among BCCD's fields, which were photographed twice
(detail .57 and above); other pairs of PBC at .88 and below (detail .49 and below).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.curate.finding import Finding
from naturalize.curate.landmarks import Grey, describe, landmarks
from naturalize.curate.registration import Shift, detail, refine, register
from naturalize.datasets.sample import Sample

MIN_CORRELATION = 0.9
MIN_DETAIL = 0.55
MIN_OVERLAP = 0.25
BLOCK = 2048
_ALIKE = 0.97
_WORTH_REFINING = 0.7
_ROUGH_CORRELATION = 0.8
_COLUMNS = 8192


@dataclass(frozen=True)
class Fields:
    """Reduced images and their landmarks.

    ``points`` (n, 2) and ``descriptors`` (n, 63) belong to the images ``owner`` (n,) says. They are
    sorted by ``key`` (n,), the element of the descriptors that varies most: unit vectors that agree
    to a cosine c are at most sqrt(2 - 2c) apart in each element, so that most of all pairs need no
    comparison.
    """

    small: tuple[Grey, ...]
    points: NDArray[np.intp]
    descriptors: NDArray[np.float32]
    owner: NDArray[np.intp]
    key: NDArray[np.float32]

    @classmethod
    def of(cls, small: Sequence[Grey]) -> Fields:
        """Find and describe the landmarks of reduced images."""
        points = [landmarks(grey) for grey in small]
        described = [describe(grey, at) for grey, at in zip(small, points, strict=True)]
        owner = np.repeat(np.arange(len(small)), [len(at) for at in points])
        if not len(owner):
            nothing = np.zeros((0, 63), dtype=np.float32)
            return cls(tuple(small), np.zeros((0, 2), np.intp), nothing, owner, nothing[:, 0])
        descriptors = np.concatenate(described)
        key = descriptors[:, int(descriptors.var(axis=0).argmax())]
        order = np.argsort(key, kind="stable")
        at = np.concatenate(points)[order]
        return cls(tuple(small), at, descriptors[order], owner[order], key[order])

    def blocks(self) -> range:
        """Return where blocks of landmarks start; each block is one piece of work."""
        return range(0, len(self.owner), BLOCK)


def propose(fields: Fields, start: int) -> dict[tuple[int, int], Shift]:
    """Return the pairs of images that agree over their reduced overlap, with the reduced shift.

    Compares the block of landmarks from ``start`` with those from there on that can be alike.
    """
    found: dict[tuple[int, int], Shift] = {}
    tried: set[tuple[int, ...]] = set()
    for one, other in _alike(fields, start):
        if fields.owner[one] > fields.owner[other]:
            one, other = other, one
        pair = int(fields.owner[one]), int(fields.owner[other])
        rows, columns = (fields.points[other] - fields.points[one]).tolist()
        if (key := (*pair, rows, columns)) in tried:
            continue
        tried.add(key)
        shift = _rough(fields.small[pair[0]], fields.small[pair[1]], rows, columns)
        if shift is not None and (pair not in found or _evidence(shift) > _evidence(found[pair])):
            found[pair] = shift
    return found


def propose_json(fields: Fields, start: int) -> str:
    """Return what :func:`propose` finds as JSON: first, second, rows, columns, evidence."""
    found = propose(fields, start).items()
    return json.dumps([(*pair, s.rows, s.columns, round(_evidence(s), 4)) for pair, s in found])


def merge(texts: Sequence[str]) -> dict[tuple[int, int], tuple[int, int]]:
    """Return the best reduced shift of each pair over all blocks."""
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for first, second, rows, columns, evidence in (row for t in texts for row in json.loads(t)):
        pair = first, second
        best[pair] = max(best.get(pair, (-1.0, 0, 0)), (evidence, rows, columns))
    return {pair: shift[1:] for pair, shift in sorted(best.items())}


def confirm(one: Grey, other: Grey, rows: int, columns: int, *, factor: int) -> Shift | None:
    """Return the exact shift of two whole images, or None if they show different regions.

    ``rows`` and ``columns`` are the reduced shift, ``factor`` the reduction.
    """
    rough = factor * rows, factor * columns
    shift = refine(one, other, *rough, step_px=max(1, factor // 2))
    if shift.correlation < MIN_CORRELATION or shift.overlap < MIN_OVERLAP:
        return None
    fine = register(detail(one), detail(other), shift.rows, shift.columns)
    return shift if fine.correlation >= MIN_DETAIL else None


def find_same_field(
    samples: Sequence[Sample],
    proposed: Iterable[tuple[tuple[int, int], tuple[int, int]]],
    read: Callable[[Sample], Grey],
    *,
    factor: int,
) -> Iterator[Finding]:
    """Check each proposed pair of ``samples`` on the whole images ``read`` returns.

    ``proposed`` gives pairs of positions and their reduced shift, as :func:`merge` returns them.
    """
    for (first, second), (rows, columns) in proposed:
        one, other = samples[first], samples[second]
        shift = confirm(read(other), read(one), -rows, -columns, factor=factor)
        if shift is not None:
            yield Finding(
                kind="same_field",
                path=other.id,
                other_path=one.id,
                value=f"{shift.correlation:.3f}",
                reason=_reason(shift, other.label, one.label),
            )


def _alike(fields: Fields, start: int) -> Iterator[tuple[int, int]]:
    """Yield the landmarks of different images whose descriptors agree."""
    block = fields.descriptors[start : start + BLOCK]
    reach = fields.key[start : start + BLOCK].max() + (2 - 2 * _ALIKE) ** 0.5
    stop = int(np.searchsorted(fields.key, reach, side="right"))
    for left in range(start, stop, _COLUMNS):
        agreement = block @ fields.descriptors[left : min(stop, left + _COLUMNS)].T
        rows, columns = np.nonzero(agreement > _ALIKE)
        one, other = rows + start, columns + left
        apart = (fields.owner[one] != fields.owner[other]) & (one < other)
        yield from zip(one[apart].tolist(), other[apart].tolist(), strict=True)


def _rough(one: Grey, other: Grey, rows: int, columns: int) -> Shift | None:
    """Return the agreement of reduced images if it and their overlap are large enough."""
    height = min(one.shape[0], other.shape[0] - rows) - max(0, -rows)
    width = min(one.shape[1], other.shape[1] - columns) - max(0, -columns)
    if height * width < 0.9 * MIN_OVERLAP * min(one.size, other.size):
        return None
    shift = register(one, other, rows, columns)
    if shift.correlation < _WORTH_REFINING:
        return None
    shift = refine(one, other, rows, columns, step_px=1)
    return shift if shift.correlation >= _ROUGH_CORRELATION else None


def _evidence(shift: Shift) -> float:
    """Return Fisher's z of the correlation, in units of the error its overlap leaves."""
    return float(np.arctanh(min(shift.correlation, 0.9999)) * shift.overlap**0.5)


def _reason(shift: Shift, label: str, other_label: str) -> str:
    classes = "" if label == other_label else f"; filed as {label} and {other_label}"
    return (
        f"the two show one slide region: {shift.overlap:.0%} of the image is in both, "
        f"shifted by {shift.rows} rows and {shift.columns} columns{classes}"
    )
