"""Discs bent to the edges they explain: the rounded outlines of red cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.segment.disc_cover import Discs
from naturalize.segment.edges import Edges

_REACH = 1.45
_FACING = 0.6
_NEAR = (0.25, 0.16, 0.1)
_DAMPING = (0.01, 0.02, 0.02, 0.03, 0.03, 0.08, 0.08)
_BENDING = (0.7, 1.4)
_CORNERS = 32
_SECTORS = 16
_CLOSE = 1.3
_MOST_LOST = 0.05
_LEAST_SUPPORT = 0.85
_LARGEST = 1.6


@dataclass(frozen=True, eq=False)
class BentDiscs:
    """Star-shaped outlines in px.

    ``centres`` float32 (n, 2) are rows and columns, ``waves`` float32 (n, 7) the radius over the
    direction as a Fourier series: mean, then cosine and sine of one, two and three times the angle.
    ``support`` float32 (n,) is the share of each outline that edges lie on, ``owner`` int64 (m,)
    the outline that each edge point belongs to, -1 for none.
    """

    centres: NDArray[np.float32]
    waves: NDArray[np.float32]
    support: NDArray[np.float32]
    owner: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def discs(self) -> Discs:
        """The round discs of the same mean radius."""
        return Discs(self.centres, self.waves[:, 0])

    def outlines(self) -> NDArray[np.float32]:
        """Return the corners of each outline relative to its centre, float32 (n, corners, 2)."""
        return _outlines(self.waves)


def bend(discs: Discs, edges: Edges, shape: tuple[int, ...]) -> BentDiscs:
    """Bend ``discs`` to the ``edges`` near them; what no edge tells stays round.

    Each edge point counts for the one outline that it lies nearest to, measured in radii, of those
    it faces. Damped least squares, each round nearer to the outlines of the last. ``shape`` is the
    image's (height, width): support counts on the image only.
    """
    pairs = _pairs(discs, edges)
    waves = _fitted(discs, pairs, edges, alone=False)
    mine = pairs.nearest(waves, len(edges), _NEAR[-1])
    owner = np.full(len(edges), -1)
    owner[pairs.point[mine]] = pairs.disc[mine]
    return BentDiscs(discs.centres, waves, _support(discs, waves, pairs, mine, edges, shape), owner)


def unsplit(
    cells: BentDiscs, edges: Edges, shape: tuple[int, ...], diameter_px: float
) -> BentDiscs:
    """Make one cell of two whose edges are those of a single larger outline.

    Two cells one over the other show more: the outline of each inside the other, or bays.
    """
    one, other = _close_pairs(cells)
    if not len(one):
        return cells
    joint = _joint_discs(cells, one, other)
    lost, support, waves = _losses(cells, joint, one, other, edges, shape)
    area = (waves[:, 0] / (diameter_px / 2)) ** 2
    fits = (lost < _MOST_LOST) & (support > _LEAST_SUPPORT) & (area < _LARGEST)
    gone: set[int] = set()
    kept = []
    for k in np.argsort(lost):
        if fits[k] and not {one[k], other[k]} & gone:
            gone |= {one[k], other[k]}
            kept.append(k)
    if not kept:
        return cells
    left = np.array([i for i in range(len(cells)) if i not in gone], dtype=np.int64)
    return bend(cells.discs.chosen(left).joined(joint.chosen(np.array(kept))), edges, shape)


def _joint_discs(cells: BentDiscs, one: NDArray[np.int64], other: NDArray[np.int64]) -> Discs:
    """Return a disc for each pair of cells, between them and as large as both."""
    middle = (cells.centres[one] + cells.centres[other]) / 2
    apart = np.hypot(*(cells.centres[one] - cells.centres[other]).T)
    radii = (cells.waves[one, 0] + cells.waves[other, 0]) / 2 + 0.25 * apart
    return Discs(middle.astype(np.float32), radii.astype(np.float32))


def _losses(
    cells: BentDiscs,
    joint: Discs,
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    edges: Edges,
    shape: tuple[int, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """Bend each ``joint`` disc alone; return what edges of its pair it loses, support and waves.

    The loss is a share of the outline of one of the two.
    """
    pairs = _pairs(joint, edges)
    waves = _fitted(joint, pairs, edges, alone=True)
    mine = pairs.off(waves) < _NEAR[-1]
    support = _support(joint, waves, pairs, mine, edges, shape)
    owned = np.bincount(cells.owner + 1, weights=edges.weight, minlength=len(cells) + 1)[1:]
    owner = cells.owner[pairs.point]
    ours = mine & ((owner == one[pairs.disc]) | (owner == other[pairs.disc]))
    weight = edges.weight[pairs.point[ours]]
    kept = np.bincount(pairs.disc[ours], weights=weight, minlength=len(one))
    lost = (owned[one] + owned[other] - kept) / (2 * np.pi * cells.waves[one, 0])
    return lost, support, waves


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Discs and edge points that may belong together, in the order of discs.

    ``distance`` is the point's from the disc's centre in px, ``ways`` the direction from there.
    """

    disc: NDArray[np.int64]
    point: NDArray[np.int64]
    distance: NDArray[np.float32]
    ways: NDArray[np.float32]
    basis: NDArray[np.float32]

    def off(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far each point lies off its outline, in radii."""
        radii = _bent((waves[self.disc] * self.basis).sum(axis=1), waves[self.disc, 0])
        return np.asarray(np.abs(self.distance / radii - 1), dtype=np.float32)

    def nearest(self, waves: NDArray[np.float32], n_points: int, near: float) -> NDArray[np.bool_]:
        """Whether each pair's outline is the nearest to its point, and ``near`` it."""
        off = self.off(waves)
        least = np.full(n_points, near, dtype=np.float32)
        np.minimum.at(least, self.point, off)
        return np.asarray(off <= least[self.point])


def _pairs(discs: Discs, edges: Edges) -> _Pairs:
    """Return all pairs of a disc and an edge point near its circle that faces its centre."""
    away = edges.points - discs.centres[:, None]
    squared = np.einsum("dpi,dpi->dp", away, away)
    near = squared < (_REACH * discs.radii[:, None]) ** 2
    likely = np.flatnonzero(near & (squared > 1))
    disc, point = np.unravel_index(likely, squared.shape)
    distance = np.sqrt(squared[disc, point])
    ways = away[disc, point] / distance[:, None]
    facing = -(ways * edges.inward[point]).sum(axis=1) > _FACING
    ways = ways[facing]
    return _Pairs(disc[facing], point[facing], distance[facing], ways, _basis(ways))


def _close_pairs(cells: BentDiscs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of cells whose centres lie well within reach of both."""
    between = np.hypot(*(cells.centres[:, None] - cells.centres).transpose(2, 0, 1))
    reach = _CLOSE / 2 * (cells.waves[:, :1] + cells.waves[:, 0])
    one, other = np.nonzero(np.triu(between < reach, 1))
    return one, other


def _fitted(discs: Discs, pairs: _Pairs, edges: Edges, *, alone: bool) -> NDArray[np.float32]:
    """Return the waves fitted to the points; ``alone``: discs share points, they do not compete."""
    waves = np.zeros((len(discs), len(_DAMPING)), dtype=np.float32)
    waves[:, 0] = discs.radii
    for near in _NEAR:
        mine = pairs.off(waves) < near if alone else pairs.nearest(waves, len(edges), near)
        weight = np.where(mine, edges.weight[pairs.point], 0)
        waves = _solved(discs, pairs, weight / (2 * np.pi * discs.radii[pairs.disc]))
    return waves


def _solved(discs: Discs, pairs: _Pairs, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the waves (discs, 7) that fit the distances best, damped towards round discs."""
    n, k = len(discs), len(_DAMPING)
    off = pairs.distance - discs.radii[pairs.disc]
    weighted = pairs.basis * weight[:, None]
    normal, right = np.zeros((n, k, k)), np.zeros((n, k))
    if len(weight):
        some, start = np.unique(pairs.disc, return_index=True)
        normal[some] = np.add.reduceat(weighted[:, :, None] * pairs.basis[:, None], start)
        right[some] = np.add.reduceat(weighted * off[:, None], start)
    waves = np.linalg.solve(normal + np.diag(_DAMPING), right[..., None])[..., 0]
    waves[:, 0] += discs.radii
    return np.asarray(waves, dtype=np.float32)


def _basis(ways: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Fourier terms (n, 7) of unit vectors (n, 2) given as row and column."""
    s, c = ways[:, 0], ways[:, 1]
    twice, both = c * c - s * s, 2 * c * s
    return np.stack([np.ones_like(c), c, s, twice, both, c * twice - s * both,
                     s * twice + c * both], axis=1)  # fmt: skip


def _bent(radii: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(radii, _BENDING[0] * mean, _BENDING[1] * mean)


def _outlines(waves: NDArray[np.float32]) -> NDArray[np.float32]:
    angle = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
    ways = np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
    radii = _bent(waves @ _basis(ways).T, waves[:, :1])
    return np.asarray(radii[..., None] * ways, dtype=np.float32)


def _support(
    discs: Discs,
    waves: NDArray[np.float32],
    pairs: _Pairs,
    mine: NDArray[np.bool_],
    edges: Edges,
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Return the share of each outline on the image that its points lie on, by sectors."""
    angle = np.arctan2(pairs.ways[mine, 0], pairs.ways[mine, 1]) / (2 * np.pi)
    sector = np.floor(angle * _SECTORS + 0.5).astype(np.int64) % _SECTORS
    place = pairs.disc[mine] * _SECTORS + sector
    weight = edges.weight[pairs.point[mine]]
    seen = np.bincount(place, weights=weight, minlength=len(discs) * _SECTORS)
    full = np.minimum(seen.reshape(-1, _SECTORS) * _SECTORS / (2 * np.pi * waves[:, :1]), 1)
    corners = discs.centres[:, None] + _outlines(waves)[:, :: _CORNERS // _SECTORS]
    inside = ((corners >= 0) & (corners < np.array(shape[:2]))).all(axis=2)
    return np.asarray((full * inside).sum(axis=1) / inside.sum(axis=1).clip(min=4), np.float32)
