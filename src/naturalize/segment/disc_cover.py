"""Few discs that cover clumps of cells and explain their edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.segment.edges import Edges, votes

_RADII = (0.38, 0.44, 0.5, 0.56, 0.62)
_PIXELS_PER_DIAMETER = 14
_BLUR = 0.16
_LEAST_VOTE = 0.05
_APART = 0.25
_OFF_CIRCLE = 0.12
_FACING = 0.75
_EDGE_GAIN = 1.2
_SLIDE_COST = 1.5
_MOST_SLIDE = 0.3
_LEAST_GAIN = 0.75
_LEAST_INSIDE = 0.2
_LEAST_NEW = 0.04


@dataclass(frozen=True, eq=False)
class Discs:
    """Discs in px: ``centres`` float32 (n, 2) as row and column, ``radii`` float32 (n,)."""

    centres: NDArray[np.float32]
    radii: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.radii)

    def joined(self, other: Discs) -> Discs:
        """Return these discs and the others."""
        centres = np.concatenate([self.centres, other.centres])
        return Discs(centres, np.concatenate([self.radii, other.radii]))

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Discs:
        """Return some of the discs."""
        return Discs(self.centres[which], self.radii[which])


def no_discs() -> Discs:
    """Return none."""
    return Discs(np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


def cover_with_discs(
    clumps: NDArray[np.bool_],
    slide: NDArray[np.bool_],
    edges: Edges,
    more: Discs,
    diameter_px: float,
) -> Discs:
    """Return discs of about a red cell's size that together cover ``clumps``.

    Candidates are the places that edges point to, and ``more``. They are taken greedily: each
    brings the share of its area that is not covered yet and the share of its circle that edges
    not yet explained lie on, and costs the share of its area that is bare ``slide``.
    """
    scale = max(1.0, diameter_px / _PIXELS_PER_DIAMETER)
    candidates = _voted(edges, diameter_px, clumps.shape, scale).joined(more)
    cells, bare, image = (
        _reduced(mask, scale, round(1.4 * diameter_px / scale))
        for mask in (clumps, slide, np.ones_like(clumps))
    )
    pixels, weight = _rasters(candidates, image, scale)
    slide_share = _shares(bare, pixels, weight)
    useful = (slide_share < _MOST_SLIDE) & (_shares(cells, pixels, weight) > _LEAST_INSIDE)
    candidates, pixels, weight = candidates.chosen(useful), pixels[useful], weight[useful]
    cost = _SLIDE_COST * slide_share[useful]
    explained = _explained(candidates, edges, clumps.shape)
    chosen: list[int] = []
    while len(chosen) < len(candidates):
        covered = _shares(cells, pixels, weight)
        gain = covered + _EDGE_GAIN * np.minimum(explained.sum(axis=1), 1) - cost
        gain[chosen] = 0
        best = int(np.where(covered > _LEAST_NEW, gain, 0).argmax())
        if gain[best] < _LEAST_GAIN:
            break
        chosen.append(best)
        cells.flat[pixels[best, weight[best] > 0]] = 0
        explained[:, explained[best] > 0] = 0
    return candidates.chosen(np.array(chosen, dtype=np.int64))


def _voted(edges: Edges, diameter_px: float, shape: tuple[int, ...], scale: float) -> Discs:
    """Return a disc at each place that enough edges point to."""
    margin = 0.65 * diameter_px
    size = (
        int((shape[0] + 2 * margin) / scale) + 2,
        int((shape[1] + 2 * margin) / scale) + 2,
    )
    radii = np.array(_RADII, dtype=np.float32) * np.float32(diameter_px)
    maps = np.stack([votes(edges, float(r), margin, size, scale, _BLUR)[0] for r in radii])
    best = maps.max(axis=0)
    side = round(_APART * diameter_px / scale) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    rows, columns = np.nonzero((best >= cv2.dilate(best, disc)) & (best > _LEAST_VOTE))
    centres = (np.stack([rows, columns], axis=1) + 0.5) * scale - margin
    return Discs(centres.astype(np.float32), radii[maps[:, rows, columns].argmax(axis=0)])


def _reduced(mask: NDArray[np.bool_], scale: float, margin: int) -> NDArray[np.float32]:
    """Return the share of ``mask`` in each pixel of a coarser image with an empty margin."""
    height, width = (int(np.ceil(side / scale)) for side in mask.shape)
    small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.pad(small, margin), dtype=np.float32)


def _rasters(
    discs: Discs, image: NDArray[np.float32], scale: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each disc the flat pixels around it and their shares of its area, 0 outside it.

    Only area on the ``image`` counts, but never less than a sixth of the disc.
    """
    margin = int(np.argmax(image[len(image) // 2] > 0))
    reach = int(np.ceil(discs.radii.max(initial=0) / scale)) + 1
    offsets = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1).T - reach
    centres = discs.centres / scale + margin
    origins = np.floor(centres).astype(np.int64)
    away = offsets + 0.5 + (origins - centres)[:, None]
    inside = (away**2).sum(axis=2) < (discs.radii[:, None] / scale) ** 2
    pixels = (origins[:, None] + offsets) @ np.array([image.shape[1], 1])
    weight = inside * image.ravel()[pixels]
    area = np.maximum(weight.sum(axis=1), inside.sum(axis=1) / 6)
    return pixels, np.asarray(weight / area[:, None], dtype=np.float32)


def _shares(
    values: NDArray[np.float32], pixels: NDArray[np.int64], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the weighted sum of ``values`` at the pixels of each disc."""
    return np.asarray(np.einsum("dp,dp->d", values.ravel()[pixels], weight), dtype=np.float32)


def _explained(discs: Discs, edges: Edges, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return for each disc (row) what share of its circle each edge point (column) accounts for.

    A point counts when it lies near the circle and its direction leads to the centre. The part of
    a circle outside the image is left out of account.
    """
    centres, points = discs.centres, edges.points
    squared = (centres**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * centres @ points.T
    distance = np.sqrt(np.maximum(squared, 1e-6))
    ahead = centres @ edges.inward.T - (points * edges.inward).sum(axis=1)
    radii = discs.radii[:, None]
    counts = (ahead > _FACING * distance) & (np.abs(distance - radii) < _OFF_CIRCLE * radii)
    length = 2 * np.pi * discs.radii * _share_on_image(discs, shape)
    return np.asarray(counts * (edges.weight / length[:, None]), dtype=np.float32)


def _share_on_image(discs: Discs, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the share of each circle that lies on the image, at least a sixth."""
    angle = np.arange(24) * (2 * np.pi / 24)
    around = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    points = discs.centres[:, None] + discs.radii[:, None, None] * around
    inside = ((points >= 0) & (points < np.array(shape[:2]))).all(axis=2)
    return np.asarray(inside.mean(axis=1).clip(min=1 / 6), dtype=np.float32)
