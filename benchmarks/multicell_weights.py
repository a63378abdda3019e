"""The weights of ``curate/unlike_red_cells.py``: red cells against pasted cells at the border.

    python benchmarks/multicell_weights.py

Pastes nucleated cells across the border of the images in ``multicell-bases.csv``, measures the
pixels of what shows and those of red cells as curation does, and fits a logistic regression.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from multicell import BASES, by_class
from multicell_paste import paste, subject
from naturalize import seeds
from naturalize.artefact import open_artefact
from naturalize.curate.cells_seen import red_cell_diameter
from naturalize.curate.unlike_red_cells import measurements
from naturalize.datasets.manifest import Manifest, read_sample, read_table
from naturalize.segment import Smear
from naturalize.segment.stain import measure_stain

PIXELS = 60
BAND = 0.4
"""How far from the border pixels are drawn, in diameters of a red cell."""


def main() -> None:
    """Fit the weights and print them with the share of pixels told right, by class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("out/real/dataset"))
    parser.add_argument("--bases", type=Path, default=Path("docs/results/curate") / BASES)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    manifest = Manifest.load(open_artefact(given.dataset, "dataset"))
    values, told, image = measured(manifest, read_table(given.bases), given.count, given.seed)
    cell = told != "red cell"
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    folds = GroupKFold(5)
    chance = cross_val_predict(model, values, cell, groups=image, cv=folds, method="predict_proba")
    limit = np.quantile(chance[~cell, 1], 0.98)
    model.fit(values, cell)
    weights = model[-1].coef_[0] / model[0].scale_
    shares = {str(k): round(float((chance[told == k, 1] > limit).mean()), 3) for k in set(told)}
    print(json.dumps({"weights": weights.round(1).tolist(), "above the limit": shares}))


def measured(
    manifest: Manifest, rows: list[dict[str, str]], count: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.intp]]:
    """Return pixels (n, 4) less their image's median red cell, what each is of, and its image."""
    rng = seeds.child(seed, "multicell weights")
    samples = {sample.id: sample for sample in manifest.samples}
    bases = [samples[row["path"]] for row in rows if row["shows"] == "one"]
    donors = by_class(manifest.samples)
    labels = sorted(donors.keys() - {"PLT"})
    values, told, image = [], [], []
    while len(set(image)) < count:
        label = labels[len(set(image)) % len(labels)]
        base = read_sample(manifest.root, bases[rng.integers(len(bases))])
        cutout = subject(manifest.root, donors[label][rng.integers(len(donors[label]))])
        pose = int(rng.integers(4)), bool(rng.integers(2))
        made = paste(base, cutout, rng.uniform(0.1, 0.9), pose, rng) if cutout else None
        if made is None:
            continue
        masks, stain = Smear().segment(made.image), measure_stain(made.image)
        red = np.zeros(made.where.shape, dtype=np.bool_)
        for mask in masks:
            if mask.kind == "RBC":
                red[mask.box.slices] |= mask.pixels
        diameter = red_cell_diameter(masks, made.image.shape)
        if stain is None or not red.any():
            continue
        planes = np.stack(measurements(stain, diameter), axis=2)
        band = near_border(red.shape, round(BAND * diameter))
        clear = cv2.dilate(made.where.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        usual = np.median(planes[red], axis=0)
        for name, where in ((label, made.where & stain.foreground), ("red cell", red & clear)):
            points = np.argwhere(where & band)
            some = points[rng.permutation(len(points))[:PIXELS]]
            values.append(planes[some[:, 0], some[:, 1]] - usual)
            told += [name] * len(some)
            image += [len(values) // 2] * len(some)
    return np.concatenate(values).astype(np.float64), np.array(told), np.array(image)


def near_border(shape: tuple[int, ...], depth: int) -> NDArray[np.bool_]:
    """Return the pixels up to ``depth`` from the border, bool (height, width)."""
    band = np.ones(shape[:2], dtype=np.bool_)
    band[depth:-depth, depth:-depth] = False
    return band


if __name__ == "__main__":
    main()
