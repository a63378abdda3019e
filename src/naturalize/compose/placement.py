"""Draw a scene: which cutouts, where, turned how. Nothing is rendered here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from naturalize.compose.recipe import Recipe
from naturalize.compose.scene import Placement, Scene
from naturalize.cutouts.bank import CutoutBank, CutoutRow, DonorRow
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.segment import Kind

FREE, TAKEN, SUBJECT = 0, 1, 2
A = TypeVar("A", bound=np.generic)


@dataclass
class _Canvas:
    """Where objects lie already: one byte a pixel, and their boxes."""

    taken: NDArray[np.uint8]
    boxes: list[Box] = field(default_factory=list)

    def fits(self, mask: NDArray[np.bool_], box: Box, recipe: Recipe) -> bool:
        """Whether an object may lie in ``box``; ``mask`` has the box's shape."""
        seen = box.clipped(*self.taken.shape)
        if not seen.height or not seen.width:
            return False
        if recipe.collision == "box":
            return not any(_meet(box, other) for other in self.boxes)
        own = mask[inside(box, seen)]
        area = int(np.count_nonzero(own))
        below = self.taken[seen.slices][own]
        overlap = int(np.count_nonzero(below))
        free_of_subject = not (below == SUBJECT).any()
        return area > 0 and free_of_subject and overlap <= recipe.overlap * area

    def put(self, mask: NDArray[np.bool_], box: Box, what: int) -> None:
        """Mark the object's pixels."""
        seen = box.clipped(*self.taken.shape)
        self.taken[seen.slices][mask[inside(box, seen)]] = what
        self.boxes.append(box)


def draw_scene(recipe: Recipe, bank: CutoutBank, label: str, *, rng: np.random.Generator) -> Scene:
    """Draw one scene of class ``label``.

    Raises :class:`InputError` when the bank holds no subject of that class.
    """
    subjects = bank.subjects(label)
    if not subjects:
        raise InputError("classes", "classes with cutouts in the bank", label)
    subject = subjects[int(rng.integers(len(subjects)))]
    plate = _draw_plate(recipe, bank, subject, rng=rng)
    observed = plate.height_px, plate.width_px
    height_px, width_px = observed if recipe.canvas == "as observed" else recipe.canvas
    canvas = _Canvas(np.zeros((height_px, width_px), dtype=np.uint8))
    placements = [_place_subject(recipe, bank, subject, canvas, rng=rng)]
    unplaced: dict[str, int] = {}
    kinds: tuple[tuple[Kind, Any, tuple[int, ...]], ...] = (
        ("RBC", recipe.red_cells, bank.statistics.red_cells),
        ("PLT", recipe.platelets, bank.statistics.platelets),
    )
    for kind, wanted, seen in kinds:
        pool = _near(recipe, bank, kind, plate)
        for _ in range(_draw_count(wanted, seen, rng=rng) if pool else 0):
            row = pool[int(rng.integers(len(pool)))]
            placed = _place(recipe, bank, row, canvas, rng=rng)
            if placed is None:
                unplaced[kind] = unplaced.get(kind, 0) + 1
            else:
                placements.append(placed)
    return Scene(
        label=label,
        plate=plate.sample_id,
        height_px=height_px,
        width_px=width_px,
        noise_seed=int(rng.integers(2**31)),
        placements=tuple(placements),
        unplaced=unplaced,
    )


def orient(array: NDArray[A], turns: int, flip: bool) -> NDArray[A]:
    """Turn an array (h, w, ...) by quarter turns against the clock, then flip it left to right."""
    turned = np.rot90(array, turns)
    return turned[:, ::-1] if flip else turned


def inside(box: Box, seen: Box) -> tuple[slice, slice]:
    """Return the slices of an array of ``box`` that lie in its visible part ``seen``."""
    top, left = seen.top - box.top, seen.left - box.left
    return slice(top, top + seen.height), slice(left, left + seen.width)


def _draw_plate(
    recipe: Recipe, bank: CutoutBank, subject: CutoutRow, *, rng: np.random.Generator
) -> DonorRow:
    """Draw a plate lit like the subject's own donor; its own or the nearest where none is."""
    if not bank.plates:
        raise InputError("bank", "at least one plate", "none")
    own = bank.donor_by_id[subject.sample_id].surface.coefficients[:, 0]
    off = np.abs(bank.plate_colours - own).max(axis=1)
    near = np.flatnonzero(off <= recipe.plate_tolerance)
    return bank.plates[int(rng.choice(near)) if near.size else int(off.argmin())]


def _near(recipe: Recipe, bank: CutoutBank, kind: Kind, plate: DonorRow) -> tuple[CutoutRow, ...]:
    """Return bystanders whose donors are lit like the plate."""
    rows, colours = bank.bystanders[kind]
    off = np.abs(colours - plate.surface.coefficients[:, 0]).max(axis=1, initial=0.0)
    return tuple(rows[i] for i in np.flatnonzero(off <= recipe.plate_tolerance))


def _draw_count(wanted: Any, seen: tuple[int, ...], *, rng: np.random.Generator) -> int:
    if wanted == "as observed":
        return int(seen[int(rng.integers(len(seen)))]) if seen else 0
    if isinstance(wanted, int):
        return wanted
    low, high = wanted
    return int(rng.integers(low, high + 1))


def _place_subject(
    recipe: Recipe,
    bank: CutoutBank,
    row: CutoutRow,
    canvas: _Canvas,
    *,
    rng: np.random.Generator,
) -> Placement:
    """Put the subject at the centre, off it by what one real image showed."""
    turns, flip = _draw_pose(recipe, rng=rng)
    mask = orient(bank.cutout(row.id).mask, turns, flip)
    offsets = bank.statistics.offsets
    down = right = 0.0
    if recipe.jitter == "as observed" and offsets:
        down, right = offsets[int(rng.integers(len(offsets)))]
    height_px, width_px = canvas.taken.shape
    top = round(height_px / 2 + down - mask.shape[0] / 2)
    left = round(width_px / 2 + right - mask.shape[1] / 2)
    canvas.put(mask, Box(top, left, *mask.shape), SUBJECT)
    density = _draw_density(recipe, rng=rng)
    return Placement(cutout=row.id, top=top, left=left, turns=turns, flip=flip, density=density)


def _place(
    recipe: Recipe,
    bank: CutoutBank,
    row: CutoutRow,
    canvas: _Canvas,
    *,
    rng: np.random.Generator,
) -> Placement | None:
    """Try to find room for one bystander; None after ``recipe.attempts`` tries."""
    turns, flip = _draw_pose(recipe, rng=rng)
    density = _draw_density(recipe, rng=rng)
    mask = orient(bank.cutout(row.id).mask, turns, flip)
    (height_px, width_px), (h, w) = canvas.taken.shape, mask.shape
    if recipe.border:
        low, high = (-h // 2, -w // 2), (height_px - h // 2, width_px - w // 2)
    else:
        low, high = (0, 0), (max(1, height_px - h + 1), max(1, width_px - w + 1))
    tries = rng.integers(low, high, size=(recipe.attempts, 2))
    for top, left in tries.tolist():
        box = Box(top, left, h, w)
        if canvas.fits(mask, box, recipe):
            canvas.put(mask, box, TAKEN)
            return Placement(
                cutout=row.id, top=top, left=left, turns=turns, flip=flip, density=density
            )
    return None


def _draw_pose(recipe: Recipe, *, rng: np.random.Generator) -> tuple[int, bool]:
    turns, flip = rng.integers(0, [4, 2])
    return (int(turns), bool(flip)) if recipe.turns else (0, False)


def _draw_density(recipe: Recipe, *, rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw factors on the optical density: one for the cell, one more for each channel."""
    whole, *channels = rng.uniform(-1, 1, 4)
    common = 1 + recipe.appearance.density * whole
    per_channel = recipe.appearance.density_per_channel
    r, g, b = (round(float(common * (1 + per_channel * c)), 3) for c in channels)
    return r, g, b


def _meet(a: Box, b: Box) -> bool:
    return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right
