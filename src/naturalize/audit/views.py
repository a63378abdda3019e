"""Ways to show a test image that part the cell from its surroundings, in memory alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.audit.taken_apart import TakenApart, Weight
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import transmittance
from naturalize.seeds import child

OWN, OTHER = "same-class", "other-class"
"""Names of the two views whose difference is what surroundings do beyond the editing."""

Suits = Callable[[TakenApart, TakenApart], bool]


@dataclass(frozen=True)
class View:
    """One way to show an image; ``suits`` says whose surroundings a cell may get, if others'.

    ``title`` names it in a table, ``said`` in a sentence.
    """

    name: str
    title: str
    said: str
    show: Callable[[TakenApart, TakenApart], Rgb]
    suits: Suits | None = None

    def partners(self, apart: Sequence[TakenApart], *, seed: int) -> list[int | None]:
        """Draw whose surroundings each cell gets, by index; None where there is nobody.

        Without ``suits`` a cell keeps its own.
        """
        if self.suits is None:
            return list(range(len(apart)))
        found: list[int | None] = []
        for index, one in enumerate(apart):
            able = [
                n for n, other in enumerate(apart) if n != index and self.suits(one, other)
            ]  # fmt: skip
            rng = child(seed, "surroundings", self.name, one.sample.id)
            found.append(able[int(rng.integers(len(able)))] if able else None)
        return found


def cell_alone(one: TakenApart, _: TakenApart) -> Rgb:
    """Show the cell on its own bare slide."""
    return _mixed(one.slide(), one.picture(), one.shown, one.box)


def surroundings_alone(one: TakenApart, _: TakenApart) -> Rgb:
    """Show the image without its cell, the hole filled from its own bare slide."""
    return _mixed(one.picture(), one.slide()[one.box.slices], one.erased, one.box, cut=True)


def in_surroundings_of(one: TakenApart, other: TakenApart) -> Rgb:
    """Show a cell where that of another image lay, lit as the other image is."""
    ground = surroundings_alone(other, other)
    down = round(_middle(other.box)[0] - _middle(one.box)[0])
    right = round(_middle(other.box)[1] - _middle(one.box)[1])
    place = one.box.moved(down, right)
    there = place.clipped(other.plate.height_px, other.plate.width_px)
    here = there.moved(-down, -right)
    light = transmittance(one.picture()[here.slices], _slide_at(one, here))
    rows = slice(here.top - one.box.top, here.bottom - one.box.top)
    columns = slice(here.left - one.box.left, here.right - one.box.left)
    weight = one.shown[rows, columns]
    return _mixed(ground, light * _slide_at(other, there), weight, there, cut=True)


def same_class(one: TakenApart, other: TakenApart) -> bool:
    """Whether both are of one class and source."""
    return one.sample.label == other.sample.label and one.source == other.source


def other_class(one: TakenApart, other: TakenApart) -> bool:
    """Whether they are of different classes, but of one source."""
    return one.sample.label != other.sample.label and one.source == other.source


def other_source(one: TakenApart, other: TakenApart) -> bool:
    """Whether they are of one class, but of different sources."""
    return one.sample.label == other.sample.label and one.source != other.source


VIEWS: tuple[View, ...] = (
    View("cell", "cell alone", "only the cell, on an empty slide", cell_alone),
    View(
        "surroundings",
        "surroundings alone",
        "the picture without its cell",
        surroundings_alone,
    ),
    View(
        OWN,
        "moved, own class",
        "the cell moved into another picture of its own class",
        in_surroundings_of,
        same_class,
    ),
    View(
        OTHER,
        "moved, other class",
        "the cell moved into a picture of another class",
        in_surroundings_of,
        other_class,
    ),
    View(
        "other-source",
        "moved, other source",
        "the cell moved into a picture of its class from another microscope or camera",
        in_surroundings_of,
        other_source,
    ),
)


def _mixed(
    below: NDArray[np.float32] | Rgb,
    above: NDArray[np.float32] | Rgb,
    weight: Weight,
    box: Box,
    *,
    cut: bool = False,
) -> Rgb:
    """Lay ``above`` over ``below`` inside ``box``; ``cut`` says it is of the box's size already."""
    result = below.astype(np.float32)
    over = above if cut else above[box.slices]
    result[box.slices] += weight[..., None] * (over - result[box.slices])
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def _slide_at(one: TakenApart, box: Box) -> NDArray[np.float32]:
    return one.plate.surface.evaluate_box(box, one.plate.height_px, one.plate.width_px)


def _middle(box: Box) -> tuple[float, float]:
    return box.top + box.height / 2, box.left + box.width / 2
