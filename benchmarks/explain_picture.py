"""Draw the picture of docs/explain.md: phantoms, and where a network taught on phantoms looks.

    python benchmarks/explain_picture.py -o docs/images/explain.jpg

A new head is trained over frozen ImageNet features of phantoms, then explains one test image of
each of six classes. Only phantoms are used, so the picture may be published with the repository.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from naturalize import images
from naturalize.curate.clean import curate
from naturalize.datasets.phantom import write_phantom
from naturalize.explain.explanation import PICTURES, load_explanations
from naturalize.explain.make_explanations import Asked, make_explanations
from naturalize.explain.pictured import one_each_class
from naturalize.progress import bar
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit
from naturalize.train.run import train_run
from naturalize.train.training import Training

LABELS = ("SNE", "EO", "BA", "LY", "MO", "PMY")
FRAME_PX = 4


def main() -> None:
    """Train in a temporary folder, explain, and put images, heat and overlays in three rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        dataset = write_phantom(home / "dataset", count=220, seed=args.seed, track=bar)
        split = make_split(curate(dataset, home / "curated"), home / "split")
        asked = Training(mode="transfer", arm="none", budget_images=8000)
        run = train_run(split, home / "run", asked, track=bar)
        shown = [
            one for one in one_each_class(RealSplit.load(split), seed=0) if one.truth in LABELS
        ]
        made = make_explanations(
            [run], shown, home / "reasons", asked=Asked(trust=False), track=bar
        )
        by_truth = {one.truth: one for one in load_explanations(made)}
        rows = [
            [framed(images.read(made.path / by_truth[label].picture(kind))) for label in LABELS]
            for kind in PICTURES
        ]
        print({label: one.predicted for label, one in by_truth.items()})
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(images.encode_jpeg(picture, quality=88))
    print(f"wrote {args.out}")


def framed(tile: images.Rgb) -> images.Rgb:
    """Put a white frame around a tile."""
    return np.pad(tile, ((FRAME_PX,) * 2, (FRAME_PX,) * 2, (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
