"""The pictures a probe is shown: real ones, and composites of the same classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from naturalize.audit.pools import Pool
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Encode, Recipe
from naturalize.compose.render import render
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.seeds import child

Pictures = list[Rgb]


def two_draws(
    pool: Pool, count: int, *, rng: np.random.Generator
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Draw two sets of at most ``count`` samples each, class by class alike, without overlap.

    Only classes of which the pool holds a cutout take part, so that each can be composed.
    """
    able = [sample for sample in pool.samples if pool.bank.subjects(sample.label)]
    by_class: dict[str, list[Sample]] = {}
    for i in rng.permutation(len(able)):
        by_class.setdefault(able[i].label, []).append(able[i])
    pairs = [
        pair for same in by_class.values() for pair in zip(same[::2], same[1::2], strict=False)
    ]
    if not pairs:
        raise InputError("bank", "classes with cutouts and two images in each pool", "none")
    pairs = [pairs[i] for i in rng.permutation(len(pairs))[:count]]
    first, second = zip(*pairs, strict=True)
    return first, second


def real_pictures(root: Path, samples: Sequence[Sample], encode: Encode) -> Pictures:
    """Return real images after the recipe's final encode, which composites go through too."""
    return [_encoded(read_sample(root, sample), encode) for sample in samples]


def composed_pictures(
    pool: Pool, samples: Sequence[Sample], recipe: Recipe, *, seed: int
) -> Pictures:
    """Return one composite for each of ``samples``, of its class, from the pool's bank alone.

    The same seed gives the same scenes under recipes that differ in their blend only.
    """
    pictures = []
    for number, sample in enumerate(samples):
        rng = child(seed, "audit", sample.id, number)
        pictures.append(
            render(draw_scene(recipe, pool.bank, sample.label, rng=rng), pool.bank, recipe).image
        )
    return pictures


def _encoded(rgb: Rgb, encode: Encode) -> Rgb:
    return decode(encode_jpeg(rgb, quality=encode.quality, chroma=encode.chroma))
