"""Finding: one picture stored twice, encoded again, brightened, resized, turned or mirrored.

A perceptual hash (signs of the lowest frequencies of the discrete cosine transform) proposes pairs
in any of eight orientations. Cells on a plain slide give many false ones, so the aligned pictures
must agree pixel by pixel as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.curate.finding import Finding
from naturalize.curate.landmarks import FREQUENCIES, Grey, low_frequencies
from naturalize.curate.registration import detail, register
from naturalize.datasets.sample import Sample

MIN_CORRELATION = 0.9
MIN_DETAIL = 0.55
MAX_DISTANCE = 10
ORIENTATIONS = 8
TRANSPOSED, ROWS_REVERSED, COLUMNS_REVERSED = 4, 2, 1
_HASHED_PX = 32
_ROUGH_CORRELATION = 0.75
_BLOCK = 1024


def orient(grey: Grey, orientation: int) -> Grey:
    """Return the picture in one of eight orientations; 0 leaves it as it is.

    >>> orient(np.array([[1, 2], [3, 4]], np.uint8), TRANSPOSED + ROWS_REVERSED).tolist()
    [[2, 4], [1, 3]]
    """
    turned = grey.T if orientation & TRANSPOSED else grey
    turned = turned[::-1] if orientation & ROWS_REVERSED else turned
    return turned[:, ::-1] if orientation & COLUMNS_REVERSED else turned


def perceptual_hash(grey: Grey) -> NDArray[np.float32]:
    """Return 63 signs (-1, 0 or 1) that survive re-encoding, resizing and brightening."""
    small = cv2.resize(grey, (_HASHED_PX, _HASHED_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(np.sign(low_frequencies(small[None].astype(np.float32))[0]), np.float32)


def orient_hash(signs: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return the hashes (n, 63) the pictures would have in another orientation.

    Reversing rows or columns changes the sign of the odd frequencies across them.
    """
    grid = np.pad(signs, ((0, 0), (1, 0))).reshape(-1, FREQUENCIES, FREQUENCIES)
    odd = (-1.0) ** np.arange(FREQUENCIES)
    if orientation & TRANSPOSED:
        grid = grid.transpose(0, 2, 1)
    if orientation & ROWS_REVERSED:
        grid = grid * odd[:, None]
    if orientation & COLUMNS_REVERSED:
        grid = grid * odd
    return np.asarray(grid.reshape(len(signs), -1)[:, 1:], dtype=np.float32)


def overlay(one: Grey, other: Grey, orientation: int) -> tuple[Grey, Grey]:
    """Return both pictures at the size of the smaller one, the second turned."""
    pictures = one, np.ascontiguousarray(orient(other, orientation))
    size = min((picture.shape for picture in pictures), key=lambda shape: shape[0] * shape[1])
    first, second = (
        picture
        if picture.shape == size
        else np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        for picture in pictures
    )
    return first, second


def find_near_duplicates(
    samples: Sequence[Sample], small: Sequence[Grey], read: Callable[[Sample], Grey]
) -> Iterator[Finding]:
    """Compare ``samples`` by their reduced green channels, confirm on those ``read`` gives.

    A pair filed under two classes gives a ``label_conflict`` for each image, since neither can be
    trusted.
    """
    for (first, second), orientation in _proposed(small).items():
        one, other = samples[first], samples[second]
        first_picture, picture = overlay(read(one), read(other), orientation)
        agreement = register(first_picture, picture, 0, 0).correlation
        if agreement < MIN_CORRELATION:
            continue
        if register(detail(first_picture), detail(picture), 0, 0).correlation < MIN_DETAIL:
            continue
        yield Finding(
            kind="near_duplicate",
            path=other.id,
            other_path=one.id,
            value=f"{agreement:.3f}",
            reason=_reason(one, other, orientation),
        )
        for this, that in ((one, other), (other, one)) if one.label != other.label else ():
            yield Finding(
                kind="label_conflict",
                path=this.id,
                other_path=that.id,
                value=f"{this.label}/{that.label}",
                reason="the same picture, stored twice, is filed under two classes",
            )


def _proposed(small: Sequence[Grey]) -> dict[tuple[int, int], int]:
    """Return pairs that agree in hash and as reduced pictures, with the second's orientation."""
    if not small:
        return {}
    hashes = np.stack([perceptual_hash(grey) for grey in small])
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for orientation in range(ORIENTATIONS):
        turned = orient_hash(hashes, orientation)
        for first, second in _near(hashes, turned):
            pictures = overlay(small[first], small[second], orientation)
            agreement = register(*pictures, 0, 0).correlation
            if agreement > best.get((first, second), (_ROUGH_CORRELATION, 0))[0]:
                best[first, second] = agreement, orientation
    return {pair: orientation for pair, (_, orientation) in sorted(best.items())}


def _near(hashes: NDArray[np.float32], turned: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Yield (first, second), first < second, whose hashes differ in few signs."""
    alike = hashes.shape[1] - 2 * MAX_DISTANCE
    for start in range(0, len(hashes), _BLOCK):
        first, second = np.nonzero(hashes[start : start + _BLOCK] @ turned[start:].T >= alike)
        upper = first < second
        pairs = np.column_stack([first[upper], second[upper]]) + start
        yield from map(tuple, pairs.tolist())


def _reason(one: Sample, other: Sample, orientation: int) -> str:
    how = "turned or mirrored" if orientation else "encoded again"
    size = f"{other.width_px}x{other.height_px}"
    first_size = f"{one.width_px}x{one.height_px}"
    resized = "" if size == first_size else f", {size} px instead of {first_size}"
    return f"the same picture, {how}{resized}"
