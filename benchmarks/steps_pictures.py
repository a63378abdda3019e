"""Draw the pictures of docs/how-a-composite-is-made.md from phantoms.

    python benchmarks/steps_pictures.py -o docs/images/steps

The stages are the real ones; ``naturalize steps IMAGE`` draws all but the last row of any image.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from naturalize import images
from naturalize.compose.blend import BLENDS, Layer
from naturalize.compose.kept_image import KeptImage
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import load_recipe
from naturalize.compose.render import bare_slide
from naturalize.compose.render import render as compose
from naturalize.curate.clean import curate
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.phantom import render, sample_slide, write_phantom
from naturalize.geometry import Box
from naturalize.report.step_pictures import (
    cutout_pictures,
    light_picture,
    masks_picture,
    noise_picture,
    plate_picture,
    scene_picture,
    unevenness_picture,
)
from naturalize.report.steps import Steps, take_steps
from naturalize.seeds import child
from naturalize.segment import Smear
from naturalize.split.make_split import make_split

WIDTH_PX, GAP_PX = 960, 8


def main() -> None:
    """Take one phantom through all steps and write a row of pictures for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--label", default="EO")
    parser.add_argument("--seed", type=int, default=71)
    args = parser.parse_args()
    slide = sample_slide(child(args.seed, "slide"))
    jpeg = render(args.label, rng=child(args.seed, "image"), slide=slide).jpeg
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "phantom.jpg"
        image.write_bytes(jpeg)
        steps = take_steps(image, Smear(), recipe=load_recipe("recomposed"))
        kept = kept_row(Path(folder), args.label, args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, pictures in {**rows(steps), "kept": kept}.items():
        file = args.out / f"{name}.jpg"
        file.write_bytes(images.encode_jpeg(in_a_row(pictures), quality=86))
        print(f"wrote {file}: {file.stat().st_size:,} bytes")


def rows(steps: Steps) -> dict[str, list[images.Rgb]]:
    """Return the pictures of each row by its name."""
    parts, made = steps.parts, steps.made
    if made is None:
        raise SystemExit("no composite can be made of this phantom; choose another seed")
    last = len(made.layers) - 1
    return {
        "light": [parts.rgb, plate_picture(parts), unevenness_picture(parts), light_picture(parts)],
        "cut": [masks_picture(parts), *cutout_pictures(parts, made)],
        "scene": [scene_picture(made), noise_picture(made), *made.layers[:2]],
        "layers": [made.layers[round(last * share)] for share in (0.25, 0.5, 0.75, 1.0)],
    }


def kept_row(home: Path, label: str, seed: int) -> list[images.Rgb]:
    """Return a cell in its own image, another image, that one without its cell, the composite."""
    dataset = write_phantom(home / "phantoms", count=110, seed=seed)
    split = make_split(curate(dataset, home / "curated"), home / "split")
    bank = CutoutBank.load(make_bank(split, home / "bank"))
    recipe = load_recipe("naturalize")
    scene = draw_scene(recipe, bank, label, rng=child(seed, "kept"))
    if scene.surroundings is None:
        raise SystemExit("the recipe keeps no surroundings")
    canvas, noise = bare_slide(scene, bank)
    none = canvas[:1, :1]
    nothing = Layer(Box(0, 0, 1, 1), none, none, np.zeros((1, 1), np.uint8))
    whole = Box(0, 0, scene.height_px, scene.width_px)
    real = KeptImage.of(scene.surroundings, bank)
    below = real.ground(bank, recipe, whole, (canvas, canvas), nothing)
    emptied = np.clip(np.rint(BLENDS[recipe.blend](canvas, noise, [below])), 0, 255)
    subject = bank.by_id[scene.placements[0].cutout]
    composite = compose(scene, bank, recipe).image
    pictures = bank.picture(subject.sample_id), bank.picture(scene.plate)
    return [*pictures, np.ascontiguousarray(emptied.astype(np.uint8)), composite]


def in_a_row(pictures: list[images.Rgb]) -> images.Rgb:
    """Return pictures side by side, each cut to a square of one size."""
    side = (WIDTH_PX - GAP_PX * (len(pictures) - 1)) // len(pictures)
    gap = np.full((side, GAP_PX, 3), 255, np.uint8)
    parts = [part for one in pictures for part in (gap, _square(one, side))][1:]
    return np.concatenate(parts, axis=1)


def _square(picture: images.Rgb, side: int) -> images.Rgb:
    least = min(picture.shape[:2])
    top, left = ((length - least) // 2 for length in picture.shape[:2])
    middle = picture[top : top + least, left : left + least]
    how = cv2.INTER_AREA if least > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, (side, side), interpolation=how), dtype=np.uint8)


if __name__ == "__main__":
    main()
