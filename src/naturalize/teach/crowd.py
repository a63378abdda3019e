"""Scenes to learn from: crowded, pressed together, cut by the border, every outline known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved_weight
from naturalize.compose.canvas import inside
from naturalize.compose.placement import draw_scene, orient
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.render import paint
from naturalize.compose.scene import Density, Placement, Scene, Variation
from naturalize.cutouts.bank import CutoutBank, CutoutRow
from naturalize.cutouts.cutout import FULL
from naturalize.geometry import Box
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.teach.pile import piled

_LOOK = {"density": 0.2, "density_per_channel": 0.1, "density_per_cell": 0.15}
_ANYHOW: dict[str, Any] = {"layout": "random", "turns": True, "jpeg_grid": False}
_CROWDS: tuple[dict[str, Any], ...] = (
    {"overlap": 0.45},
    {"overlap": 0.45},
    {"red_cells": (15, 75), "overlap": 0.35} | _ANYHOW,
    {"red_cells": (15, 75), "overlap": 0.35} | _ANYHOW,
    {"red_cells": (5, 40), "overlap": 0.2, "stain": "any"} | _ANYHOW,
)
"""Red cells as one real image shows them, or many, or few, anywhere."""
_PILED = 0.4
_LARGEST, _LONG, _LONG_FROM = 1.35, 1.18, 1.05
"""Red cells are left out from ``_LARGEST`` times the median area on, and from ``_LONG_FROM`` times
on where they are ``_LONG`` times longer than wide."""
_SHIFTED = 0.5
_SUBJECTS = (0, 0, 1, 1, 2)
_SUBJECTS_MEET = 0.03
_PRESSED = 0.35
_PRESSED_TO = (0.82, 1.06)
_MOST_PRESSED = 0.25
_BENT = 0.45
_PLATELETS = (0, 1, 2, 4, 7)
_BEYOND_PX = 40
_EDGE_PX = 1.0
"""How softly a nucleated cell's edge covers what lies below it, a standard deviation."""


@dataclass(eq=False)
class _Crowd:
    """A scene being drawn anew: what nucleated cells take up of it, and its source of chance."""

    bank: CutoutBank
    shape: tuple[int, int]
    rng: np.random.Generator
    taken: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = np.zeros(self.shape, dtype=np.bool_)


def draw_crowd(bank: CutoutBank, *, rng: np.random.Generator) -> Scene:
    """Draw a scene of any class and crowd it.

    Half the time all is moved, so that the border cuts any cell; up to two more nucleated cells are
    put anywhere; red cells are piled, pressed to nucleated ones and bent; platelets lie anywhere,
    on red cells too.
    """
    change = _CROWDS[int(rng.integers(len(_CROWDS)))]
    known = load_recipe("recomposed").model_dump() | {"name": "crowd", "appearance": _LOOK}
    recipe = Recipe.model_validate(known | change)
    label = bank.classes[int(rng.integers(len(bank.classes)))]
    scene = draw_scene(recipe, bank, label, rng=rng)
    crowd = _Crowd(bank, (scene.height_px, scene.width_px), rng)
    first, *rest = (
        _shifted(crowd, scene.placements) if rng.random() < _SHIFTED else scene.placements
    )
    _take(crowd, first)
    subjects = [first, *_further_subjects(crowd)]
    rest = [one for one in rest if not _is_double(one, bank)]
    if rng.random() < _PILED:
        rest = list(piled(rest, bank, rng=rng))
    bystanders = [*_pressed(crowd, rest, subjects), *_platelets(crowd)]
    return scene.model_copy(update={"placements": (*subjects, *bystanders)})


def _is_double(placement: Placement, bank: CutoutBank) -> bool:
    """Whether a red cell may be two, one over the other, cut out as one: very large, or long.

    Who learns from them that two are one tells them so again.
    """
    row = bank.by_id[placement.cutout]
    if row.kind != "RBC" or row.area_px < _LONG_FROM * _usual_area(bank):
        return False
    mask = (bank.cutout(row.id).weight == FULL).view(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    _, sides, _ = cv2.minAreaRect(max(contours, key=len))
    return max(sides) > _LONG * min(sides) or row.area_px > _LARGEST * _usual_area(bank)


@lru_cache(maxsize=1)
def _usual_area(bank: CutoutBank) -> float:
    """Return the median area of a bank's red cells in px."""
    rows, _ = bank.bystanders["RBC"]
    return float(np.median([row.area_px for row in rows]))


def crowd_picture(scene: Scene, bank: CutoutBank) -> Rgb:
    """Return the picture of a crowd, uint8 (height, width, 3), in which what lies on what is seen.

    Red cells that overlap are seen through one another; nucleated cells hide what lies below them.
    Where a red cell shows through pale cytoplasm a network learns that what is red may be a
    nucleated cell's.
    """
    recipe = load_recipe("recomposed")
    nucleated = [one for one in scene.placements if bank.by_id[one.cutout].kind == "WBC"]
    whole, _ = paint(scene, bank, recipe)
    alone, own = paint(scene.model_copy(update={"placements": tuple(nucleated)}), bank, recipe)
    share = cv2.GaussianBlur((own > 0).astype(np.float32), (0, 0), _EDGE_PX)[..., None]
    pixels = np.rint(whole + share * (alone.astype(np.float32) - whole)).astype(np.uint8)
    jpeg = encode_jpeg(pixels, quality=recipe.encode.quality, chroma=recipe.encode.chroma)
    return decode(jpeg, proven=True)


def placed_mask(bank: CutoutBank, placement: Placement) -> tuple[NDArray[np.bool_], Box]:
    """Return a placed cutout's pixels, bool (h, w), and its box, which may leave the canvas."""
    weight = moved_weight(bank.cutout(placement.cutout).weight, placement.variation)
    mask = np.ascontiguousarray(orient(weight == FULL, placement.turns, placement.flip))
    return mask, Box(placement.top, placement.left, *mask.shape)


def _shifted(crowd: _Crowd, placements: Sequence[Placement]) -> list[Placement]:
    """Move all objects alike; bystanders that leave on one side come in on the other."""
    height, width = crowd.shape
    down = int(crowd.rng.integers(-height // 2, height // 2))
    right = int(crowd.rng.integers(-width // 2, width // 2))
    first, *rest = (_moved(one, one.top + down, one.left + right) for one in placements)
    turns = [
        (a, b)
        for a in (-height - _BEYOND_PX, 0, height + _BEYOND_PX)
        for b in (-width - _BEYOND_PX, 0, width + _BEYOND_PX)
    ]
    again = (_moved(one, one.top + a, one.left + b) for one in rest for a, b in turns)
    return [first, *(one for one in again if _is_seen(crowd, one))]


def _moved(placement: Placement, top: int, left: int) -> Placement:
    return placement.model_copy(update={"top": top, "left": left})


def _is_seen(crowd: _Crowd, placement: Placement) -> bool:
    box = crowd.bank.by_id[placement.cutout].box
    seen = Box(placement.top, placement.left, box.height, box.width).clipped(*crowd.shape)
    return seen.height > 0 and seen.width > 0


def _further_subjects(crowd: _Crowd) -> Iterator[Placement]:
    """Put up to two more nucleated cells anywhere; they hardly meet."""
    labels = [label for label in crowd.bank.classes if crowd.bank.subjects(label)]
    for _ in range(int(crowd.rng.choice(_SUBJECTS))):
        rows = crowd.bank.subjects(labels[int(crowd.rng.integers(len(labels)))])
        placement = _anywhere(crowd, rows[int(crowd.rng.integers(len(rows)))])
        if _share_taken(crowd, placement) < _SUBJECTS_MEET:
            _take(crowd, placement)
            yield placement


def _pressed(
    crowd: _Crowd, placements: Sequence[Placement], subjects: Sequence[Placement]
) -> Iterator[Placement]:
    """Press some red cells to nucleated cells and bend some; leave out what they would cover."""
    for placement in placements:
        now = placement
        if crowd.bank.by_id[now.cutout].kind == "RBC":
            if crowd.rng.random() < _PRESSED:
                now = _beside(crowd, now, subjects[int(crowd.rng.integers(len(subjects)))])
            if crowd.rng.random() < _BENT:
                now = now.model_copy(update={"variation": _bend(crowd, now)})
        if _share_taken(crowd, now) <= _MOST_PRESSED:
            yield now


def _beside(crowd: _Crowd, placement: Placement, subject: Placement) -> Placement:
    """Move a red cell towards a nucleated cell that is not far, until they meet or nearly so."""
    own, other = (crowd.bank.by_id[one.cutout].box for one in (placement, subject))
    down = subject.top + other.height / 2 - placement.top - own.height / 2
    right = subject.left + other.width / 2 - placement.left - own.width / 2
    far = float(np.hypot(down, right))
    reach = (min(own.height, own.width) + min(other.height, other.width)) / 2
    wanted = reach * float(crowd.rng.uniform(*_PRESSED_TO))
    if not wanted < far < 2.2 * wanted:
        return placement
    way = (far - wanted) / far
    return _moved(placement, round(placement.top + down * way), round(placement.left + right * way))


def _bend(crowd: _Crowd, placement: Placement) -> Variation:
    """Draw another size, a stretch along any axis, and a bend of up to a tenth of the diameter."""
    rng, box = crowd.rng, crowd.bank.by_id[placement.cutout].box
    bent = rng.normal(0, box.height * rng.uniform(0.01, 0.05), (4, 4, 2))
    drawn = rng.normal(0, 0.09, (2, 2))
    places = np.stack(np.meshgrid(*np.linspace(-0.5, 0.5, 4)[None].repeat(2, 0), indexing="ij"), -1)
    stretched = places * (box.height, box.width) @ ((drawn + drawn.T) / 2)
    size = float(np.exp(rng.normal(0, 0.13)))
    return Variation(size=size, knots=tuple(float(v) for v in (bent + stretched).ravel()))


def _platelets(crowd: _Crowd) -> Iterator[Placement]:
    """Put platelets anywhere but on nucleated cells."""
    rows, _ = crowd.bank.bystanders.get("PLT", ((), None))
    for _ in range(int(crowd.rng.choice(_PLATELETS)) if rows else 0):
        placement = _anywhere(crowd, rows[int(crowd.rng.integers(len(rows)))])
        if not _share_taken(crowd, placement):
            yield placement


def _anywhere(crowd: _Crowd, row: CutoutRow) -> Placement:
    """Put a cutout anywhere, turned and stained anyhow; the border may cut it."""
    rng = crowd.rng
    top, left = (
        int(rng.integers(-side // 2, length - side // 2))
        for side, length in zip((row.box.height, row.box.width), crowd.shape, strict=True)
    )
    tint: Density = tuple(np.exp(rng.normal(-0.05, 0.18) + rng.normal(0, 0.05, 3)).tolist())
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    return Placement(cutout=row.id, top=top, left=left, turns=turns, flip=flip, density=tint)


def _share_taken(crowd: _Crowd, placement: Placement) -> float:
    """Return the share of a placed cutout that lies on nucleated cells; 1 where it is not seen."""
    mask, box = placed_mask(crowd.bank, placement)
    seen = box.clipped(*crowd.shape)
    own = mask[inside(box, seen)] if seen.height > 0 and seen.width > 0 else mask[:0]
    if not own.any():
        return 1.0
    return float((own & crowd.taken[seen.slices]).sum() / own.sum())


def _take(crowd: _Crowd, placement: Placement) -> None:
    mask, box = placed_mask(crowd.bank, placement)
    seen = box.clipped(*crowd.shape)
    if seen.height > 0 and seen.width > 0:
        crowd.taken[seen.slices] |= mask[inside(box, seen)]
