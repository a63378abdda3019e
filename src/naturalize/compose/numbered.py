"""A composite by its class and number: the same in a folder, on a page and while training."""

from __future__ import annotations

from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Recipe
from naturalize.compose.render import Composite, render
from naturalize.cutouts.bank import CutoutBank
from naturalize.seeds import child


def compose_numbered(
    recipe: Recipe, bank: CutoutBank, label: str, number: int, *, seed: int
) -> Composite:
    """Compose image ``number`` of ``seed``, of class ``label``; it depends on nothing else."""
    scene = draw_scene(recipe, bank, label, rng=child(seed, "composite", number))
    return render(scene, bank, recipe)


def composite_name(label: str, number: int) -> str:
    """Return what a composite is called, in a folder and elsewhere.

    >>> composite_name("SNE", 12)
    'SNE_000012'
    """
    return f"{label}_{number:06d}"
