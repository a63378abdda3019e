"""Draw a scene: which cutouts, where, turned how. Nothing is rendered here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.appearance import moved_weight
from naturalize.compose.blend import BLENDS_ON
from naturalize.compose.canvas import Canvas
from naturalize.compose.jpeg_grid import Where, on_grid
from naturalize.compose.layout import Slot, draw_slots
from naturalize.compose.recipe import Recipe
from naturalize.compose.scene import Placement, Scene, Variation
from naturalize.compose.stain import Stain, draw_plate, draw_stain, near
from naturalize.compose.stock import stock_of
from naturalize.compose.surroundings import draw_kept_scene
from naturalize.compose.variation import draw_focus, draw_light, draw_variation
from naturalize.cutouts.bank import CutoutBank, CutoutRow, DonorRow
from naturalize.cutouts.cutout import FULL
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.segment import Kind

A = TypeVar("A", bound=np.generic)
Tried = tuple[Kind, Placement | None]
Pose = tuple[int, bool]
_FITTED = 8
"""Cells drawn for a place, of which the one that fits it best is taken."""
_STEP_PX, _STEPS = 4, 10
"""How far, and how often, a cell that meets the subject is moved away from it."""


@dataclass(frozen=True, eq=False)
class _Drawing:
    """One scene being drawn: its recipe, bank, places, stain and source of chance."""

    recipe: Recipe
    bank: CutoutBank
    canvas: Canvas
    stain: Stain
    rng: np.random.Generator


def draw_scene(recipe: Recipe, bank: CutoutBank, label: str, *, rng: np.random.Generator) -> Scene:
    """Draw one scene of class ``label``.

    Raises :class:`InputError` when the bank holds no subject of that class, or lies on a background
    that the recipe's blend does not suit.
    """
    subjects = bank.subjects(label)
    if not subjects:
        raise InputError("classes", "classes with cutouts in the bank", label)
    check_background(recipe, bank)
    subject = subjects[int(rng.integers(len(subjects)))]
    if recipe.surroundings != "composed":
        return draw_kept_scene(recipe, bank, label, subject, rng=rng)
    plate = draw_plate(recipe, bank, subject, rng=rng)
    observed = plate.height_px, plate.width_px
    shape = observed if recipe.canvas == "as observed" else recipe.canvas
    stain = draw_stain(recipe, bank, plate, subject, rng=rng)
    drawing = _Drawing(recipe, bank, Canvas.of(shape), stain, rng)
    chance = rng.spawn(1)[0]
    variation = draw_variation(recipe, bank, subject, rng=chance)
    first = _place_subject(drawing, subject, variation)
    tried = [
        *_red_cells(drawing, plate),
        *_platelets(drawing, plate),
        *_objects(drawing, plate),
    ]
    return Scene(
        label=label,
        plate=draw_light(recipe, bank, plate, rng=chance).sample_id,
        height_px=shape[0],
        width_px=shape[1],
        noise_seed=int(rng.integers(2**31)),
        placements=(first, *(placed for _, placed in tried if placed is not None)),
        unplaced=dict(Counter(kind for kind, placed in tried if placed is None)),
        focus=draw_focus(recipe, bank, label, rng=chance),
    )


def check_background(recipe: Recipe, bank: CutoutBank) -> None:
    """Raise :class:`InputError` where a recipe does not suit what a bank's objects lie on."""
    background = bank.statistics.background
    allowed = BLENDS_ON[background]
    if recipe.blend not in allowed:
        what = f"{' or '.join(allowed)} on a {background} background"
        raise InputError(f"recipe {recipe.name}, blend", what, recipe.blend)
    if background == "dark" and recipe.surroundings != "composed":
        what = "composed on a dark background"
        raise InputError(f"recipe {recipe.name}, surroundings", what, recipe.surroundings)
    if background == "dark":
        for name in ("stain", "size", "focus"):
            if value := getattr(recipe.appearance, name):
                what = "0 on a dark background, whose spread is not measured"
                raise InputError(f"recipe {recipe.name}, appearance.{name}", what, value)


def orient(array: NDArray[A], turns: int, flip: bool) -> NDArray[A]:
    """Turn an array (h, w, ...) by quarter turns against the clock, then flip it left to right."""
    turned = np.rot90(array, turns) if turns else array
    return turned[:, ::-1] if flip else turned


def _red_cells(drawing: _Drawing, plate: DonorRow) -> Iterator[Tried]:
    """Place red cells as the plate's image shows them; at random on a canvas of other size."""
    recipe, bank, rng = drawing.recipe, drawing.bank, drawing.rng
    pool = drawing.stain.red_cells
    donor_px = plate.height_px, plate.width_px
    if recipe.layout == "random" or drawing.canvas.shape != donor_px:
        seen = bank.statistics.red_cells
        yield from _scattered(drawing, "RBC", pool, draw_count(recipe.red_cells, seen, rng=rng))
        return
    boxes = stock_of(bank).layouts.get(plate.sample_id, ())
    left: list[CutoutRow] = []
    for slot in draw_slots(boxes, donor_px, turns=recipe.turns, rng=rng) if pool else ():
        left = left or list(pool)
        yield "RBC", _fill(drawing, slot, left)


def _platelets(drawing: _Drawing, plate: DonorRow) -> Iterator[Tried]:
    recipe, bank = drawing.recipe, drawing.bank
    count = draw_count(recipe.platelets, bank.statistics.platelets, rng=drawing.rng)
    pool = near(recipe, bank, "PLT", plate) if count else ()
    return _scattered(drawing, "PLT", pool, count)


def _objects(drawing: _Drawing, plate: DonorRow) -> Iterator[Tried]:
    """Place objects beside the subject where the bank shows no blood."""
    recipe, bank = drawing.recipe, drawing.bank
    pool = near(recipe, bank, "OBJ", plate)
    count = draw_count(recipe.objects, bank.statistics.objects, rng=drawing.rng) if pool else 0
    return _scattered(drawing, "OBJ", pool, count)


def _scattered(
    drawing: _Drawing, kind: Kind, pool: Sequence[CutoutRow], count: int
) -> Iterator[Tried]:
    """Place ``count`` cutouts of a pool wherever there is room."""
    for _ in range(count if pool else 0):
        row = pool[int(drawing.rng.integers(len(pool)))]
        turns, flip = _draw_pose(drawing)
        yield kind, _place(drawing, row, turns, flip, _corners(drawing, row, turns, flip))


def draw_count(wanted: Any, seen: tuple[int, ...], *, rng: np.random.Generator) -> int:
    """Draw how many objects of a kind: a number, one of a range, or one observed."""
    if wanted == "as observed":
        return int(seen[int(rng.integers(len(seen)))]) if seen else 0
    if isinstance(wanted, int):
        return wanted
    low, high = wanted
    return int(rng.integers(low, high + 1))


def _place_subject(drawing: _Drawing, row: CutoutRow, variation: Variation) -> Placement:
    """Put the subject at the centre, off it by what one real image showed."""
    recipe, rng = drawing.recipe, drawing.rng
    turns, flip = _draw_pose(drawing)
    weight = moved_weight(drawing.bank.cutout(row.id).weight, variation)
    mask = orient(weight == FULL, turns, flip)
    offsets = drawing.bank.statistics.offsets
    down = right = 0.0
    if recipe.jitter == "as observed" and offsets:
        down, right = offsets[int(rng.integers(len(offsets)))]
    height_px, width_px = drawing.canvas.shape
    top = round(height_px / 2 + down - mask.shape[0] / 2)
    left = round(width_px / 2 + right - mask.shape[1] / 2)
    if not variation.moves:
        top, left = _on_grid(recipe, row, turns, flip, top, left)
    drawing.canvas.put_subject(mask, Box(top, left, *mask.shape))
    return Placement(
        cutout=row.id,
        top=top,
        left=left,
        turns=turns,
        flip=flip,
        density=drawing.stain.density(row.sample_id),
        variation=variation,
    )


def _fill(drawing: _Drawing, slot: Slot, left: list[CutoutRow]) -> Placement | None:
    """Put a red cell where one was observed, moved away from the subject where they meet.

    It is taken out of those ``left``, so that no cell is seen twice while others are not.
    """
    places = drawing.rng.permutation(len(left))[:_FITTED].tolist()
    drawn = [left[i] for i in places]
    poses = _draw_poses(drawing, len(drawn))
    known = stock_of(drawing.bank).rims
    rims = [known[row.id] for row in drawn]
    shapes = [_turned(row, turns) for row, (turns, _) in zip(drawn, poses, strict=True)]
    misfits = [slot.misfit(*shape, rim) for shape, rim in zip(shapes, rims, strict=True)]
    best = 0 if slot.is_cut else misfits.index(min(misfits))
    del left[places[best]]
    top, first = slot.grown(rims[best]).corner(*shapes[best])
    height_px, width_px = drawing.canvas.shape
    down = top + shapes[best][0] / 2 - height_px / 2
    right = first + shapes[best][1] / 2 - width_px / 2
    far = max(1.0, float(np.hypot(down, right)))
    steps = range(0, _STEP_PX * _STEPS, _STEP_PX)
    moved = ((round(top + step * down / far), round(first + step * right / far)) for step in steps)
    return _place(drawing, drawn[best], *poses[best], moved)


def _place(
    drawing: _Drawing, row: CutoutRow, turns: int, flip: bool, corners: Iterable[tuple[int, int]]
) -> Placement | None:
    """Put a bystander at the first of ``corners`` (top, left) where it fits; None without one."""
    density = drawing.stain.density(row.sample_id)
    mask = orient(drawing.bank.cutout(row.id).mask, turns, flip)
    for corner in corners:
        top, left = _on_grid(drawing.recipe, row, turns, flip, *corner)
        box = Box(top, left, *mask.shape)
        if drawing.canvas.fits(mask, box, drawing.recipe):
            drawing.canvas.put(mask, box)
            return Placement(
                cutout=row.id, top=top, left=left, turns=turns, flip=flip, density=density
            )
    return None


def _corners(
    drawing: _Drawing, row: CutoutRow, turns: int, flip: bool
) -> Iterable[tuple[int, int]]:
    """Draw places (top, left) to try, anywhere on the canvas where no box meets another."""
    recipe = drawing.recipe
    (height_px, width_px), (h, w) = drawing.canvas.shape, _turned(row, turns)
    if recipe.border:
        low, high = (-h // 2, -w // 2), (height_px - h // 2, width_px - w // 2)
    else:
        low, high = (0, 0), (max(1, height_px - h + 1), max(1, width_px - w + 1))
    tops, lefts = drawing.rng.integers(low, high, size=(recipe.attempts, 2)).T
    if recipe.collision == "box":
        tops, lefts = _on_grid(recipe, row, turns, flip, tops, lefts)
        clear = drawing.canvas.clear_of_boxes((h, w), tops, lefts)
        tops, lefts = tops[clear], lefts[clear]
    return zip(tops.tolist(), lefts.tolist(), strict=True)


def _draw_pose(drawing: _Drawing) -> Pose:
    return _draw_poses(drawing, 1)[0]


def _draw_poses(drawing: _Drawing, count: int) -> list[Pose]:
    """Draw quarter turns and flips at once; the stream is that of one at a time."""
    drawn = drawing.rng.integers(0, [4, 2], size=(count, 2)).tolist()
    return [(turns, bool(flip)) if drawing.recipe.turns else (0, False) for turns, flip in drawn]


def _turned(row: CutoutRow, turns: int) -> tuple[int, int]:
    """Return (height, width) in px of a cutout after quarter turns."""
    sides = row.box.height, row.box.width
    return sides if turns % 2 == 0 else (sides[1], sides[0])


def _on_grid(
    recipe: Recipe, row: CutoutRow, turns: int, flip: bool, top: Where, left: Where
) -> tuple[Where, Where]:
    """Return a place (top, left), or many, as the recipe wants it: on the grid, or as it is."""
    return on_grid(row.box, turns, flip, top, left) if recipe.jpeg_grid else (top, left)
