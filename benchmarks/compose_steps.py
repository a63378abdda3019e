"""Milliseconds of each step of composing, its parts and its rivals in turn."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from compose_pillow import Algorithm1, Reopened
from naturalize.artefact import open_artefact
from naturalize.compose.kept_image import KeptImage
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Encode, Recipe, load_recipe
from naturalize.compose.render import paint, render
from naturalize.compose.scene import Scene
from naturalize.cutouts.bank import CutoutBank
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.seeds import child

WARM_UP = 10


class Online:
    """Composites of a recipe, a new one at every call, classes in turn, as training asks."""

    def __init__(self, bank: CutoutBank, recipe: Recipe) -> None:
        wanted = bank.classes if recipe.classes == "all" else recipe.classes
        self.bank, self.recipe = bank, recipe
        self.labels = [label for label in wanted if bank.subjects(label)]
        self.numbers = count()

    def draw(self) -> Scene:
        """Draw the next scene."""
        i = next(self.numbers)
        label = self.labels[i % len(self.labels)]
        return draw_scene(self.recipe, self.bank, label, rng=child(0, "speed", i))

    def whole(self) -> None:
        """Make the next composite from nothing to the pixels training sees."""
        render(self.draw(), self.bank, self.recipe)


def time_steps(folder: Path, name: str, images: int, rounds: int) -> dict[str, Any]:
    """Return milliseconds an image of each step, the best round and all rounds."""
    cv2.setNumThreads(1)
    bank = CutoutBank.load(open_artefact(folder))
    online = Online(bank, load_recipe(name))
    for _ in range(WARM_UP):
        online.whole()
    taken: dict[str, list[float]] = {}
    seen: list[Scene] = []
    with tempfile.TemporaryDirectory() as pictures:
        rivals = Algorithm1(bank), Reopened(bank, Path(pictures))
        for _ in range(rounds):
            for step, ms in _round(online, rivals, images, seen):
                taken.setdefault(step, []).append(ms)
    return {
        "images": images,
        "objects": round(float(np.mean([len(scene.placements) for scene in seen])), 2),
        "pixels": round(float(np.mean([s.height_px * s.width_px for s in seen]))),
        "pillow_differs": any(taken.pop("pillow differs", [])),
        "ms": {step: round(min(found), 3) for step, found in taken.items()},
        "rounds_ms": {step: [round(ms, 3) for ms in found] for step, found in taken.items()},
    }


def _round(
    online: Online, rivals: tuple[Algorithm1, Reopened], images: int, seen: list[Scene]
) -> Iterator[tuple[str, float]]:
    """Time each step once over ``images`` images."""
    bank, recipe = online.bank, online.recipe
    scenes: list[Scene] = []
    yield "draw", timed(lambda i: scenes.append(online.draw()), images)
    seen += scenes
    made: list[Any] = []
    yield "paint", timed(lambda i: made.append(paint(scenes[i], bank, recipe)[0]), images)
    yield from _kept(bank, scenes)
    encode = recipe.encode
    jpegs: list[bytes] = []

    def encoded(i: int) -> None:
        jpegs.append(encode_jpeg(made[i], quality=encode.quality, chroma=encode.chroma))

    yield "encode", timed(encoded, images)
    yield "decode", timed(lambda i: decode(jpegs[i], proven=True), images)
    yield "pillow decode", timed(lambda i: decode(jpegs[i]), images)
    others: list[bytes] = []
    yield "pillow encode", timed(lambda i: others.append(by_pillow(made[i], encode)), images)
    agree = all((decode(j, proven=True) == decode(j)).all() for j in jpegs)
    yield "pillow differs", float(not (agree and others == jpegs))
    yield "whole", timed(lambda i: online.whole(), images)
    in_memory, reopened = rivals
    yield "pillow in memory", timed(lambda i: in_memory.compose(), images)
    yield "pillow from files", timed(lambda i: reopened.compose(), images)


def _kept(bank: CutoutBank, scenes: list[Scene]) -> Iterator[tuple[str, float]]:
    """Time what painting does with the real images that scenes keep, if any."""
    kept = [scene.surroundings for scene in scenes if scene.surroundings is not None]
    if not kept:
        return
    names = [bank.by_id[one.without].sample_id for one in kept]
    yield "kept decode", timed(lambda i: bank.picture(names[i]), len(kept))
    yield "kept image", timed(lambda i: KeptImage.of(kept[i], bank), len(kept))


def by_pillow(rgb: Rgb, encode: Encode) -> bytes:
    """Encode as :func:`encode_jpeg` does, by Pillow's copy of libjpeg-turbo."""
    buffer, chroma = io.BytesIO(), 0 if encode.chroma == "4:4:4" else 2
    Image.fromarray(rgb).save(buffer, "JPEG", quality=encode.quality, subsampling=chroma)
    return buffer.getvalue()


def timed(work: Callable[[int], object], images: int) -> float:
    """Return milliseconds of processor time an image."""
    start = time.process_time()
    for i in range(images):
        work(i)
    return 1000 * (time.process_time() - start) / images
