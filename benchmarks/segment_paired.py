"""The same cells, cut by two states of the code and judged by two readers each.

    cd docs/results/segment
    python ../../../benchmarks/segment_paired.py before-halos after-halos

Both folders hold ``drawn-central.csv``, drawn with the same seed, and two tables of judgements. A
cell is good if both readers say so. Writes ``paired.json`` to the second.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from naturalize.errors import InputError
from naturalize.evaluate.compare import mcnemar
from segment_agreement import share_interval
from segment_draw import read_rows
from segment_judged import good_by_both, read_judgement

TABLE = "drawn-central.csv"


def good_cells(folder: Path) -> dict[str, bool]:
    """Return whether both readers call the central cell of each image good, by file."""
    rows = read_rows(folder / TABLE)
    numbers = {row.number for row in rows}
    first, second = (
        read_judgement(folder / f"judged-central-{reader}.csv", numbers) for reader in (1, 2)
    )
    good = good_by_both(first, second)
    return {row.file: good[row.number] for row in rows}


def paired(before: dict[str, bool], after: dict[str, bool]) -> dict[str, object]:
    """Return how many cells are good before and after, which ones changed, and McNemar's test.

    >>> paired({"a": True, "b": False}, {"a": True, "b": True})["won"]
    ['b']
    """
    if before.keys() != after.keys():
        raise InputError("AFTER", "the same images as BEFORE", f"{len(after)} of other ones")
    files = sorted(before)
    said = [[str(good[file]) for file in files] for good in (before, after)]
    return {
        "before": share_interval(sum(before.values()), len(files)),
        "after": share_interval(sum(after.values()), len(files)),
        "won": [file for file in files if after[file] and not before[file]],
        "lost": [file for file in files if before[file] and not after[file]],
        "mcnemar": asdict(mcnemar(["True"] * len(files), *said)),
    }


def main() -> None:
    """Run the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("before", type=Path)
    top.add_argument("after", type=Path)
    given = top.parse_args()
    result = paired(good_cells(given.before), good_cells(given.after))
    text = json.dumps(result, indent=1)
    (given.after / "paired.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
