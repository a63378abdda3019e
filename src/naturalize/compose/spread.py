"""How much real cells of one class differ: in stain, size and focus, measured on a bank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import blurred, refocused
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import Cutout
from naturalize.optics import transmittance
from naturalize.quantiles import percentiles

LOOKED_AT = 100
"""Cells of each class, evenly spaced in the bank, of which pixels are read."""
LEAST_CELLS = 20
"""Cells from which a class has a spread of its own; fewer borrow that within all classes."""
_EVERY = 31
_STAINED = 0.3
"""Optical density (length of red, green, blue) from which a pixel's colour tells its stain."""
_APART = 0.05
"""Sine of the angle between two stains, at least."""
_TRIED = 0.5
_DARKEST = np.float32(1 / 255)
Floats = NDArray[np.float64]


class Figures(NamedTuple):
    """Four figures of a cell, or their spread over the cells of a class.

    Of a cell: mean density along azure and along eosin, diameter in px, and focus as the logarithm
    of fine over coarse detail. Of a class: one standard deviation (half the way from the 16th to
    the 84th percentile), the first three as shares of the median, focus in strengths of
    :func:`naturalize.compose.appearance.refocused`.
    """

    azure: float
    eosin: float
    diameter: float
    focus: float


@dataclass(frozen=True, eq=False)
class Spread:
    """What a bank's subjects show: the ``axes`` of their stain and the spread of each class.

    ``axes`` is float64 (3, 3): unit columns azure, eosin and what neither explains, rows red,
    green and blue density.
    """

    axes: Floats
    classes: Mapping[str, Figures]


@lru_cache(maxsize=4)
def spread_of(bank: CutoutBank) -> Spread:
    """Look at up to :data:`LOOKED_AT` subjects of each class of a bank."""
    rows = {label: _spaced(bank.subjects(label)) for label in bank.classes}
    return measure(bank, {label: some for label, some in rows.items() if some})


def measure(bank: CutoutBank, rows: Mapping[str, Sequence[CutoutRow]]) -> Spread:
    """Measure the spread over the subjects ``rows``, class by class."""
    axes = bank_axes(bank, rows)
    figures = {label: cell_figures(bank, some, axes) for label, some in rows.items()}
    return Spread(axes, class_spreads(figures))


def bank_axes(bank: CutoutBank, rows: Mapping[str, Sequence[CutoutRow]]) -> Floats:
    """Return the stain axes of nucleated cells; of all subjects where none is nucleated."""
    cells = [row for some in rows.values() for row in some]
    cells = [row for row in cells if row.kind == "WBC"] or cells
    densities = []
    for row in cells:
        cutout = bank.cutout(row.id)
        densities.append(_density(_light(cutout)[cutout.mask][::_EVERY]))
    return stain_axes(np.concatenate(densities).astype(np.float64))


def stain_axes(density: Floats) -> Floats:
    """Return the axes of two stains from the densities (n, 3) of pixels that show both.

    After Macenko et al. 2009: the plane of the first two principal directions, and in it the
    directions between which nearly all pixels lie. Azure is the one that absorbs more red. Where
    only one stain shows, as in grey pictures, the axes are those of red, green and blue.
    """
    strong = density[(density * density).sum(axis=1) > _STAINED * _STAINED]
    strong = strong if len(strong) else density
    _, directions = np.linalg.eigh(strong.T @ strong)
    plane = directions[:, :0:-1] * (np.sign(directions[:, -1].sum()), 1)
    angles = np.arctan2(*(strong @ plane).T[::-1])
    ends = percentiles(angles, 1, 99)
    first, second = (plane @ (np.cos(end), np.sin(end)) for end in ends)
    azure, eosin = (first, second) if first[0] > second[0] else (second, first)
    rest = np.cross(azure, eosin)
    if not np.linalg.norm(rest) > _APART:
        return np.eye(3)
    return np.stack([azure, eosin, rest / np.linalg.norm(rest)], axis=1)


def cell_figures(bank: CutoutBank, rows: Sequence[CutoutRow], axes: Floats) -> Floats:
    """Return the :class:`Figures` of each cell and how a try of blur moves its focus, (n, 5)."""
    found = []
    for row in rows:
        cutout = bank.cutout(row.id)
        own, light = cutout.mask, _light(cutout)
        azure, eosin, _ = np.linalg.solve(axes, _density(light[own]).mean(axis=0))
        green = light[..., 1:2]
        sharp = sharpness(green, own)
        softer = sharp - sharpness(refocused(green, _TRIED), own)
        found.append((azure, eosin, 2 * (row.area_px / np.pi) ** 0.5, sharp, softer / _TRIED))
    return np.array(found)


def sharpness(light: NDArray[np.float32], own: NDArray[np.bool_]) -> float:
    """Return the logarithm of fine over coarse detail of ``light`` (h, w, 1) on a cell's pixels."""
    fine, coarse = (light - blurred(light), light - blurred(blurred(light), step=2))
    ratio = np.square(fine[own]).mean() / max(float(np.square(coarse[own]).mean()), 1e-12)
    return float(np.log(max(float(ratio), 1e-12)))


def class_spreads(figures: Mapping[str, Floats]) -> dict[str, Figures]:
    """Return the spread of each class from the figures (n, 5) of its cells."""
    shares = {label: _shares(cells) for label, cells in figures.items()}
    pooled = np.concatenate(list(shares.values())) if shares else np.zeros((0, 4))
    return {
        label: _spread(own if len(own) >= LEAST_CELLS else pooled) for label, own in shares.items()
    }


def _shares(cells: Floats) -> Floats:
    """Return how far each cell lies from the median of its class, (n, 4), in units of figures."""
    middle = np.median(cells, axis=0)
    unit = np.append(middle[:3], middle[4])
    return (cells[:, :4] - middle[:4]) / np.where(unit > 0, unit, np.inf)


def _spread(shares: Floats) -> Figures:
    low, high = percentiles(shares.T, 16, 84)
    return Figures(*((high - low) / 2).tolist())


def _light(cutout: Cutout) -> NDArray[np.float32]:
    plate = cutout.surface.evaluate_box(cutout.box, *cutout.donor_px)
    return transmittance(cutout.pixels, plate)


def _density(light: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(-np.log10(np.maximum(light, _DARKEST)), dtype=np.float32)


def _spaced(rows: Sequence[CutoutRow]) -> Sequence[CutoutRow]:
    return rows[:: -(-len(rows) // LOOKED_AT)] if rows else rows
