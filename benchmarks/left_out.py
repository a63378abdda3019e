"""Small trainings that never saw one class: does a reader notice cells of no class it knows?

For each class left out: a split without it, at most 200 train images a class, 3,008 images shown
at 128 px. ``benchmarks/predict.py unfamiliar`` judges what they make of the class.

    python benchmarks/left_out.py --split out/real/split3 EO LY ERB PMY -o out/left-out
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from naturalize.artefact import Artefact, open_artefact
from naturalize.datasets.manifest import read_table, write_table
from naturalize.progress import bar
from naturalize.seeds import child
from naturalize.split.make_split import make_split
from naturalize.train.run import train_run
from naturalize.train.training import Training

CAP = 200
TRAINING = Training(budget_images=3008, input_px=128)


def main() -> None:
    """Make a split and a run for each class named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("classes", nargs="+")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", "-o", type=Path, required=True)
    asked = parser.parse_args()
    whole = open_artefact(asked.split, "split")
    for label in asked.classes:
        split = without(whole, label, asked.out)
        out = asked.out / f"run-{label}"
        made = train_run(split, out, TRAINING, if_exists="resume", track=bar)
        print(made.path, flush=True)


def without(whole: Artefact, label: str, out: Path) -> Artefact:
    """Return the split without ``label``, its train side cut to ``CAP`` images a class."""
    rows = read_table(whole.path / "split.csv")
    order = child(0, "left-out").permutation(len(rows))
    kept = few([rows[i] for i in order], label)
    table = out / f"without-{label}.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text(write_table(["id", "side"], sorted(kept)))
    curated = whole.input("curated")
    return make_split(curated, out / f"split-{label}", frozen=table, if_exists="resume")


def few(rows: Sequence[dict[str, str]], label: str) -> list[tuple[str, str]]:
    """Return (id, side) of all images but those of ``label`` and of train images beyond CAP."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        if row["label"] == label:
            continue
        if row["side"] == "train":
            seen[row["label"]] += 1
            if seen[row["label"]] > CAP:
                continue
        kept.append((row["id"], row["side"]))
    return kept


if __name__ == "__main__":
    main()
