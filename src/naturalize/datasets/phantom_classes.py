"""What the nucleated cells of the phantom look like, class by class.

Sizes are in pixels at PBC's magnification. Colours are optical densities (red, green, blue), the
negative natural logarithm of transmittance, as measured on May-Grünwald-Giemsa smears. A range
runs from the youngest to the oldest cell of its class, and one maturity drawn per cell moves all
its traits together; the ranges of neighbouring stages overlap, as experts' labels do.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import floor

import numpy as np

Range = tuple[float, float]
Density = tuple[float, float, float]

CLASSES = ("BA", "BNE", "EO", "ERB", "LY", "MMY", "MO", "MY", "PLT", "PMY", "SNE")
"""Basophil, band neutrophil, eosinophil, erythroblast, lymphocyte, metamyelocyte, monocyte,
myelocyte, platelet, promyelocyte, segmented neutrophil."""

REAL_COUNTS = {
    "BA": 1218,
    "BNE": 1633,
    "EO": 3117,
    "ERB": 1551,
    "LY": 1214,
    "MMY": 1015,
    "MO": 1420,
    "MY": 1137,
    "PLT": 2348,
    "PMY": 592,
    "SNE": 1646,
}
"""Images of each class in the public PBC data (Acevedo et al., Data in Brief 30, 2020)."""

PURPLE: Density = (0.75, 1.35, 0.16)


@dataclass(frozen=True)
class ClassShape:
    """The traits of one class; every pair is a :data:`Range`, colours are :data:`Density`.

    The nucleus is a sausage along an arc: ``aspect`` is the arc's length over the sausage's width,
    ``bend_deg`` how far the arc turns, ``pinch`` how deep the sausage is constricted between its
    ``lobes``. Aspect 0 is a disc, bent and long is a band, pinched is segmented.
    """

    cell_radius: Range
    outline: Range  # irregularity, share of the radius
    nucleus_share: Range  # nucleus area over cell area
    off_centre: Range  # 0 centred, 1 against the membrane
    young: Density  # cytoplasm of the youngest cell
    old: Density  # cytoplasm of the oldest cell
    aspect: Range = (0.0, 0.15)
    bend_deg: Range = (0.0, 20.0)
    lobes: Range = (1, 1)
    pinch: Range = (0.0, 0.0)
    density: Range = (0.92, 1.05)  # of the nucleus, times the stain
    chromatin: Range = (0.18, 0.24)  # relative contrast of the texture
    chromatin_px: Range = (2.1, 2.7)
    granule: Density = PURPLE
    granule_cover: Range = (0.0, 0.0)  # share of the cytoplasm
    granule_px: Range = (1.8, 2.2)
    granules_over_nucleus: float = 0.0
    eosinophilic: bool = False  # granules take up the acid stain
    blue_rim: Range = (0.0, 0.0)
    vacuoles: Range = (0, 0)
    nucleoli: Range = (0, 0)

    def draw(self, maturity: float, *, rng: np.random.Generator) -> dict[str, float]:
        """Draw one cell of ``maturity`` in [0, 1]: a value within every range, mostly by it."""
        drawn = {"maturity": maturity}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and len(value) == 2:
                share = 0.65 * maturity + 0.35 * rng.random()
                drawn[field.name] = value[0] + share * (value[1] - value[0])
        return drawn


SHAPES = {
    "PMY": ClassShape(
        cell_radius=(82, 68),
        outline=(0.03, 0.04),
        nucleus_share=(0.72, 0.50),
        off_centre=(0.5, 1.0),
        young=(0.46, 0.52, 0.14),
        old=(0.40, 0.50, 0.17),
        aspect=(0.0, 0.2),
        density=(0.86, 0.98),
        chromatin=(0.20, 0.24),
        chromatin_px=(1.9, 2.3),
        granule_cover=(0.26, 0.40),
        granules_over_nucleus=0.25,
        nucleoli=(3.5, 0.5),
    ),
    "MY": ClassShape(
        cell_radius=(75, 60),
        outline=(0.03, 0.04),
        nucleus_share=(0.60, 0.46),
        off_centre=(0.6, 1.0),
        young=(0.42, 0.50, 0.17),
        old=(0.34, 0.44, 0.17),
        aspect=(0.0, 0.45),
        bend_deg=(0, 40),
        granule_cover=(0.30, 0.16),
        granules_over_nucleus=0.1,
        granule=(0.60, 1.15, 0.14),
        chromatin_px=(2.0, 2.5),
    ),
    "MMY": ClassShape(
        cell_radius=(72, 62),
        outline=(0.03, 0.04),
        nucleus_share=(0.52, 0.42),
        off_centre=(0.5, 0.9),
        young=(0.34, 0.43, 0.17),
        old=(0.22, 0.33, 0.14),
        aspect=(0.35, 1.25),
        bend_deg=(60, 160),
        lobes=(1.6, 2.4),
        pinch=(0.05, 0.25),
        granule_cover=(0.30, 0.16),
        granule=(0.34, 0.66, 0.09),
    ),
    "BNE": ClassShape(
        cell_radius=(69, 60),
        outline=(0.02, 0.05),
        nucleus_share=(0.45, 0.38),
        off_centre=(0.2, 0.7),
        young=(0.24, 0.34, 0.14),
        old=(0.17, 0.25, 0.12),
        aspect=(1.2, 2.8),
        bend_deg=(100, 250),
        lobes=(1.6, 3.0),
        pinch=(0.05, 0.58),
        density=(0.98, 1.1),
        granule_cover=(0.24, 0.12),
        granule=(0.20, 0.42, 0.06),
    ),
    "SNE": ClassShape(
        cell_radius=(69, 60),
        outline=(0.02, 0.06),
        nucleus_share=(0.48, 0.42),
        off_centre=(0.1, 0.6),
        young=(0.20, 0.30, 0.14),
        old=(0.17, 0.24, 0.12),
        aspect=(2.0, 3.2),
        bend_deg=(150, 310),
        lobes=(2.5, 4.8),
        pinch=(0.5, 1.05),
        density=(1.0, 1.14),
        granule_cover=(0.22, 0.10),
        granule=(0.18, 0.38, 0.06),
    ),
    "EO": ClassShape(
        cell_radius=(72, 62),
        outline=(0.03, 0.05),
        nucleus_share=(0.52, 0.43),
        off_centre=(0.5, 0.9),
        young=(0.32, 0.44, 0.18),
        old=(0.25, 0.38, 0.18),
        aspect=(1.1, 1.9),
        bend_deg=(100, 240),
        lobes=(1.7, 2.8),
        pinch=(0.45, 1.0),
        density=(0.9, 1.0),
        granule=(0.09, 0.52, 0.26),
        eosinophilic=True,
        granule_cover=(0.82, 0.68),
        granule_px=(2.6, 3.2),
    ),
    "BA": ClassShape(
        cell_radius=(66, 55),
        outline=(0.04, 0.07),
        nucleus_share=(0.75, 0.6),
        off_centre=(0.0, 0.5),
        young=(0.52, 0.80, 0.20),
        old=(0.40, 0.62, 0.18),
        aspect=(0.4, 1.3),
        bend_deg=(30, 150),
        lobes=(1.5, 3.4),
        pinch=(0.1, 0.5),
        density=(0.75, 0.9),
        chromatin=(0.12, 0.16),
        granule=(0.9, 1.5, 0.28),
        granule_cover=(0.60, 0.66),
        granule_px=(2.8, 3.8),
        granules_over_nucleus=0.4,
    ),
    "LY": ClassShape(
        cell_radius=(55, 45),
        outline=(0.03, 0.06),
        nucleus_share=(0.72, 0.9),
        off_centre=(0.2, 0.9),
        young=(0.40, 0.38, 0.13),
        old=(0.30, 0.30, 0.11),
        aspect=(0.0, 0.2),
        bend_deg=(0, 60),
        density=(0.98, 1.08),
        chromatin=(0.15, 0.2),
        chromatin_px=(2.4, 3.2),
        blue_rim=(0.25, 0.6),
    ),
    "MO": ClassShape(
        cell_radius=(82, 66),
        outline=(0.06, 0.11),
        nucleus_share=(0.54, 0.42),
        off_centre=(0.3, 0.8),
        young=(0.46, 0.47, 0.13),
        old=(0.35, 0.38, 0.12),
        aspect=(0.45, 1.3),
        bend_deg=(50, 170),
        lobes=(1.0, 2.6),
        pinch=(0.1, 0.35),
        density=(0.82, 0.94),
        chromatin=(0.18, 0.22),
        chromatin_px=(2.2, 2.8),
        granule_cover=(0.25, 0.35),
        vacuoles=(0, 9),
        granule=(0.26, 0.48, 0.07),
    ),
    "ERB": ClassShape(
        cell_radius=(60, 42),
        outline=(0.04, 0.09),
        nucleus_share=(0.58, 0.40),
        off_centre=(0.1, 0.8),
        young=(0.66, 0.66, 0.20),
        old=(0.34, 0.40, 0.18),
        aspect=(0.0, 0.12),
        density=(1.08, 1.2),
        chromatin=(0.22, 0.08),
        chromatin_px=(5.5, 4.5),
        blue_rim=(0.15, 0.05),
    ),
}
"""The classes with a nucleus; ``PLT`` has none."""

LINEAGE = ("PMY", "MY", "MMY", "BNE", "SNE")
"""The neutrophils' stages, youngest first: one continuous path cut into classes."""

DISAGREEMENT = 0.1
"""How far, in stages, a label may be off along the lineage, as experts' labels are."""


def stage(label: str, *, rng: np.random.Generator) -> tuple[ClassShape, float]:
    """Draw how a cell labelled ``label`` looks: a shape and its maturity within that shape.

    Near the border between two stages of the lineage either label is given to the same look.
    """
    if label not in LINEAGE:
        return SHAPES[label], rng.random()
    place = LINEAGE.index(label) + rng.uniform(-DISAGREEMENT, 1 + DISAGREEMENT)
    look = min(max(floor(place), 0), len(LINEAGE) - 1)
    return SHAPES[LINEAGE[look]], min(max(place - look, 0.0), 1.0)
