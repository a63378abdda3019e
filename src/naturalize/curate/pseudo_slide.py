"""Pseudo-slides: images of like light and stain, where nobody wrote down which slide they show.

Images of one slide share its light and its stain. A data set without slide numbers keeps neither
apart in its splits, and intervals that take its images as independent are then too narrow. Clusters
of light and stain stand in for slides, to see how much wider intervals might be; they are no proof
that two images are, or are not, of one slide.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from naturalize.curate.source import background
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.progress import Track, quiet
from naturalize.seeds import child

IMAGES_A_SLIDE = 30
"""How many images a pseudo-slide holds on average: a guess, and the only one."""
_STAINED = 0.9
"""Share of the slide's green light below which a pixel is taken for stained."""


def pseudo_slides(
    root: Path, samples: Sequence[Sample], *, seed: int = 0, track: Track = quiet
) -> dict[str, str]:
    """Return the pseudo-slide of each sample id; images of one group share one.

    k-means on standardised colours of slide and stain, with one cluster for every
    :data:`IMAGES_A_SLIDE` images.
    """
    looked = track(samples, len(samples), "light and stain")
    figures = np.array([light_and_stain(read_sample(root, sample)) for sample in looked])
    spread = figures.std(axis=0)
    standard = (figures - figures.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    count = max(1, len(samples) // IMAGES_A_SLIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an empty cluster is a pseudo-slide less, no harm
        _, cluster = kmeans2(standard, count, minit="++", rng=child(seed, "pseudo-slides"))
    first: dict[str, int] = {}
    return {
        sample.id: f"pseudo-slide {first.setdefault(sample.group, number)}"
        for sample, number in zip(samples, cluster.tolist(), strict=True)
    }


def light_and_stain(rgb: Rgb) -> NDArray[np.float64]:
    """Return the colour of the bare slide and the median optical density of what is stained, (6,).

    Both are in the order red, green, blue; light in grey levels. Red cells are most of what is
    stained, so the cell in the middle hardly counts.
    """
    slide = np.array(background(rgb), np.float64)
    stained = rgb[rgb[..., 1] < _STAINED * slide[1]]
    if not len(stained):
        return np.concatenate([slide, np.zeros(3)])
    return np.concatenate([slide, -np.log10(np.maximum(np.median(stained, axis=0), 1) / slide)])
