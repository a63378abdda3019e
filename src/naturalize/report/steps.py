"""One image taken through every stage, each step kept to be looked at.

It is cut up, and a composite is made of nothing but its own parts: a bank of one image, in a folder
that is gone afterwards. Nothing here may reach training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.artefact import Draft
from naturalize.compose.objects import PlacedObject, placed_objects
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Recipe
from naturalize.compose.render import bare_slide, render
from naturalize.compose.scene import Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.bank_tables import write_tables
from naturalize.cutouts.cutout import Cutout
from naturalize.cutouts.make_bank import cut_samples
from naturalize.cutouts.mask_folder import MaskFolder
from naturalize.cutouts.triage import TurnedDown
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError
from naturalize.images import Rgb
from naturalize.optics import Background, PlateSurface
from naturalize.seeds import child
from naturalize.segment import Mask, Segmenter
from naturalize.split.split import RealSplit

LABEL = "subject"
"""The class of the one image."""


@dataclass(frozen=True, eq=False)
class Parts:
    """An image taken apart: its bare slide, the objects taken and those turned down."""

    rgb: Rgb
    background: Background
    surface: PlateSurface
    masks: tuple[Mask, ...]
    turned_down: tuple[TurnedDown, ...]

    @property
    def plate(self) -> NDArray[np.float32]:
        """The bare slide over the image, float32 (H, W, 3)."""
        return self.surface.evaluate(*self.rgb.shape[:2])


@dataclass(frozen=True, eq=False)
class Made:
    """A composite of one image's parts.

    ``subject`` is the cutout at its centre, ``objects`` are those of ``scene`` as far as they are
    seen. ``plate`` float32 (H, W, 3) and ``noise`` int8 (H, W, 3) are its bare slide; ``layers`` it
    with the first 0, 1, ... objects, so that the last is the whole.
    """

    recipe: Recipe
    subject: Cutout
    scene: Scene
    objects: tuple[PlacedObject, ...]
    plate: NDArray[np.float32]
    noise: NDArray[np.int8]
    layers: tuple[Rgb, ...]


@dataclass(frozen=True, eq=False)
class Steps:
    """An image, its parts, and what was made of them: nothing without a subject or a plate."""

    parts: Parts
    made: Made | None


def take_steps(image: Path, by: Segmenter | MaskFolder, *, recipe: Recipe, seed: int = 0) -> Steps:
    """Cut up the file ``image`` and compose it anew.

    Raises :class:`ImageError` for a file that is no image.
    """
    sample, root = sample_of(image), image.parent
    alone = RealSplit("of one image", root, (LABEL,), (sample,), (), ())
    background = (by.objects if isinstance(by, MaskFolder) else None) or "light"
    with TemporaryDirectory() as folder:
        draft = Draft(Path(folder))
        records = cut_samples(alone, [sample], draft, by=by, workers=1)
        write_tables(draft, records, (LABEL,), background=background)
        bank = CutoutBank.read(draft.path, bank_id="", split_id=alone.id, classes=(LABEL,))
        parts = _taken_apart(read_sample(root, sample), bank)
        return Steps(parts, _composed(bank, recipe, seed))


def sample_of(image: Path) -> Sample:
    """Return what is known of an image file without decoding it."""
    try:
        data = image.read_bytes()
    except OSError as error:
        raise ImageError(str(image), "a readable file", error.strerror or error) from error
    height_px, width_px = images.size(data, name=str(image))
    return Sample(
        id=image.name,
        label=LABEL,
        group=image.name,
        source="",
        height_px=height_px,
        width_px=width_px,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _taken_apart(rgb: Rgb, bank: CutoutBank) -> Parts:
    (donor,) = bank.donors
    return Parts(
        rgb=rgb,
        background=bank.statistics.background,
        surface=donor.surface,
        masks=tuple(bank.masks(donor.sample_id)),
        turned_down=tuple(bank.turned_down()),
    )


def _composed(bank: CutoutBank, recipe: Recipe, seed: int) -> Made | None:
    subjects = bank.subjects(LABEL)
    if not subjects or not bank.plates:
        return None
    scene = draw_scene(recipe, bank, LABEL, rng=child(seed, "composite", 0))
    subject = bank.cutout(subjects[0].id)
    plate, noise = bare_slide(scene, bank)
    objects, _ = placed_objects(scene, bank, disjoint=False)
    return Made(
        recipe=recipe,
        subject=replace(subject, pixels=subject.pixels.copy(), weight=subject.weight.copy()),
        scene=scene,
        objects=objects,
        plate=plate,
        noise=noise,
        layers=tuple(_layers(scene, bank, recipe)),
    )


def _layers(scene: Scene, bank: CutoutBank, recipe: Recipe) -> Iterator[Rgb]:
    """Render the scene with its first 0, 1, ... objects."""
    for count in range(len(scene.placements) + 1):
        part = scene.model_copy(update={"placements": scene.placements[:count]})
        yield render(part, bank, recipe).image
