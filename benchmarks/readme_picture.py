"""Draw the README's picture: phantoms above composites of the same classes.

    python benchmarks/readme_picture.py -o docs/images/composites.jpg

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
from naturalize.curate.clean import curate
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.phantom import write_phantom
from naturalize.progress import bar
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit

LABELS = ("SNE", "EO", "BA", "LY", "MO", "PMY")


def main() -> None:
    """Run the pipeline on phantoms in a temporary folder and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        dataset = write_phantom(home / "dataset", count=220, seed=args.seed, track=bar)
        split = make_split(curate(dataset, home / "curated"), home / "split")
        bank = make_bank(split, home / "bank", workers=2, track=bar)
        recipe = load_recipe("naturalize")
        made = make_composites(bank, home / "composites", recipe=recipe, count=110, seed=args.seed)
        real, composites = RealSplit.load(split), CompositeSet.load(made)
        above = [
            read_sample(real.root, next(s for s in real.train if s.label == label))
            for label in LABELS
        ]
        below = [
            composites.read(next(i for i in composites.images if i.label == label))
            for label in LABELS
        ]
        rows = [np.concatenate([_framed(tile) for tile in row], axis=1) for row in (above, below)]
        picture = np.concatenate(rows, axis=0)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(images.encode_jpeg(picture, quality=88))
    print(f"wrote {args.out}")


def _framed(tile: images.Rgb, *, side: int = 300, frame: int = 4) -> images.Rgb:
    """Cut the centre of an image and put a white frame around it."""
    top, left = (tile.shape[0] - side) // 2, (tile.shape[1] - side) // 2
    framed = np.full((side + 2 * frame, side + 2 * frame, 3), 255, np.uint8)
    framed[frame:-frame, frame:-frame] = tile[top : top + side, left : left + side]
    return framed


if __name__ == "__main__":
    main()
