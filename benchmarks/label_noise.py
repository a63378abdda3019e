"""How many labels of test images are wrong, and how far a perfect reader could get on them.

    python benchmarks/label_noise.py draw out/train/plain-* out/train/longer-0 -o out/label-noise
    python benchmarks/label_noise.py score docs/results/label-noise

``draw`` takes the mean answers of finished runs, or of cells of a study, to their test images. It
writes sheets for two judges, to a folder that git ignores; ``judgements-1.csv`` and ``-2.csv``, to
be filled in with A, B or unsure; ``drawn.json``; and ``key.csv``, which no judge may open. With
these four in one folder, ``score`` writes ``label-noise.json`` and ``README.md`` there.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from label_noise_draw import JUDGES, Pool, draw, read_key, write_key, write_sheets
from label_noise_page import page
from label_noise_score import read_verdicts, score
from naturalize.artefact import Artefact, open_artefact
from segment_draw import refuse_existing

KINDS = ("run", "cell")


def main() -> None:
    """Draw what is to be judged, or turn judgements into figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    drawing = steps.add_parser("draw")
    drawing.add_argument("runs", type=Path, nargs="+")
    drawing.add_argument("-o", "--out", type=Path, required=True)
    drawing.add_argument("--seed", type=int, default=0)
    steps.add_parser("score").add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.step == "draw":
        write_draw([open_artefact(path, *KINDS) for path in given.runs], given.out, given.seed)
    else:
        write_score(given.folder)


def write_draw(runs: Sequence[Artefact], folder: Path, seed: int) -> None:
    """Write the sheets, the tables to be filled in and the key."""
    refuse_existing(folder / "key.csv")
    folder.mkdir(parents=True, exist_ok=True)
    pool = Pool.of(runs)
    rows = draw(pool, seed=seed)
    for judge in JUDGES:
        for path in write_sheets(pool, rows, folder, judge):
            print(path)
    told = {
        "split": runs[0].manifest["inputs"]["split"]["id"],
        "runs": {run.path.name: run.id for run in runs},
        "classes": pool.predictions.classes,
        "seed": seed,
    }
    (folder / "drawn.json").write_text(json.dumps(told, indent=1) + "\n")
    write_key(folder / "key.csv", rows)
    print(dict(Counter(row.kind or "not drawn" for row in rows)))


def write_score(folder: Path) -> None:
    """Write the figures of two judges, and the page."""
    rows = read_key(folder / "key.csv")
    drawn = json.loads((folder / "drawn.json").read_text())
    said = {judge: read_verdicts(folder / f"judgements-{judge}.csv", rows, judge)
            for judge in JUDGES}  # fmt: skip
    result = {**drawn, **score(rows, said[1], said[2], drawn["classes"])}
    (folder / "label-noise.json").write_text(json.dumps(result, indent=1) + "\n")
    (folder / "README.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
