"""Draw the picture of docs/own-objects.md: phantom bacteria above composites made of others.

    python benchmarks/own_objects_picture.py -o docs/images/own-objects.jpg

Only phantoms are used, so the picture may be published with the repository.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from naturalize import images
from naturalize.compose.composite_set import CompositeSet
from naturalize.compose.make_composites import make_composites
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.phantom_bacteria import CLASSES, write_bacteria
from naturalize.optics import Background
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit

RECIPES: dict[Background, str] = {"light": "objects", "dark": "objects-dark"}
SEEDS: dict[Background, int] = {"light": 6, "dark": 8}
FRAME_PX, GAP_PX = 3, 14


def main() -> None:
    """Run import to composition for both backgrounds in a temporary folder; write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        light, dark = (_half(Path(folder) / name, name) for name in RECIPES)
    gap = np.full((light.shape[0], GAP_PX, 3), 255, np.uint8)
    picture = np.concatenate([light, gap, dark], axis=1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(images.encode_jpeg(picture, quality=88))
    print(f"wrote {args.out}: {args.out.stat().st_size:,} bytes")


def _half(home: Path, background: Background) -> images.Rgb:
    """Return an image of each class above a composite of each."""
    drawn = write_bacteria(
        home / "phantom", count=45, seed=SEEDS[background], background=background
    )
    split = make_split(drawn, home / "split")
    bank = make_bank(split, home / "bank", masks=drawn.path / "masks", objects=background)
    recipe = load_recipe(RECIPES[background])
    made = CompositeSet.load(make_composites(bank, home / "out", recipe=recipe, count=9, seed=1))
    real = RealSplit.load(split)
    above = [
        read_sample(real.root, next(s for s in real.train if s.label == label)) for label in CLASSES
    ]
    below = [made.read(next(i for i in made.images if i.label == label)) for label in CLASSES]
    return np.concatenate([_row(above), _row(below)])


def _row(tiles: list[images.Rgb]) -> images.Rgb:
    frame = ((FRAME_PX, FRAME_PX), (FRAME_PX, FRAME_PX), (0, 0))
    return np.concatenate([np.pad(t, frame, constant_values=255) for t in tiles], axis=1)


if __name__ == "__main__":
    main()
