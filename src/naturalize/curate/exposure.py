"""Finding: images too bright, too dark or clipped, compared with their acquisition source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.curate.finding import Finding
from naturalize.curate.spread import robust_z
from naturalize.images import Rgb

WHITE_LEVEL, BLACK_LEVEL = 253, 3
_EVERY = 2  # a quarter of the pixels tells the shares well enough


@dataclass(frozen=True)
class Rule:
    """What is judged: how many spreads from the usual are too many, and the words for it."""

    least_spread: float
    max_z: float
    above: str
    below: str


RULES = {
    "background": Rule(2.0, 8.0, "too bright: background {}", "too dark: background {}"),
    "white": Rule(0.01, 6.0, "clipped: {} of its pixels are white", ""),
    "black": Rule(0.01, 6.0, "clipped: {} of its pixels are black", ""),
}


def clipped_shares(rgb: Rgb) -> tuple[float, float]:
    """Return the share of pixels white, and black, in all three channels."""
    some = rgb[::_EVERY, ::_EVERY]
    white = float((some.min(axis=-1) >= WHITE_LEVEL).mean())
    return white, float((some.max(axis=-1) <= BLACK_LEVEL).mean())


def find_exposure(
    paths: Sequence[str], figures: dict[str, NDArray[np.float64]], sources: NDArray[np.intp]
) -> Iterator[Finding]:
    """Name images far from what is usual in their source, by the figures of :data:`RULES`.

    ``figures`` holds ``background``, the mean grey level of the bare slide, and ``white`` and
    ``black``, shares of pixels; ``value`` of a finding is the robust z of its figure.
    """
    for name, rule in RULES.items():
        scores = robust_z(figures[name], sources, least_spread=rule.least_spread)
        for i, z in enumerate(scores.tolist()):
            words = rule.above if z >= rule.max_z else rule.below if z <= -rule.max_z else ""
            if words:
                figure = float(figures[name][i])
                said = f"{figure:.0f}" if name == "background" else f"{figure:.0%}"
                yield Finding(
                    kind="exposure", path=paths[i], value=f"{z:.1f}", reason=words.format(said)
                )
