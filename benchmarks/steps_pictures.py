"""Draw the pictures of docs/how-a-composite-is-made.md from one phantom.

    python benchmarks/steps_pictures.py -o docs/images/steps

The stages are the real ones; ``naturalize steps IMAGE`` draws the same of any image.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from naturalize import images
from naturalize.compose.recipe import load_recipe
from naturalize.datasets.phantom import render, sample_slide
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
    args.out.mkdir(parents=True, exist_ok=True)
    for name, pictures in rows(steps).items():
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
