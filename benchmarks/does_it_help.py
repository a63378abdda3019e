"""One picture of what composites add, from the figures that studies published.

    python benchmarks/does_it_help.py -o docs/images/does-it-help.svg

Run it again whenever a study is published anew (``benchmarks/study_results.py``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from naturalize.artefact import write_whole
from naturalize.evaluate.bootstrap import Interval
from naturalize.page.interval_plot import interval_plot
from naturalize.study.render_study import RESULTS
from naturalize.study.results import Block, StudyResults
from naturalize.study.tested import REAL
from study_results import alone

PUBLISHED = Path(__file__).parents[1] / "docs" / "results"
AGAINST = "conventional"
STUDIES = ("low-data", "full")
ARMS = {"both recomposed": "all cells anew", "both": "real surroundings"}
"""Arms against :data:`AGAINST`, and what is told of each."""


def main() -> None:
    """Draw the differences in points of macro F1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    drawn = interval_plot(
        [row for study in STUDIES for row in rows(study)],
        title="What composites add to conventional training, by real images a class",
        x_label="points of macro F1 on untouched real images, 95% interval",
        reference=0,
        digits=1,
    )
    write_whole(args.out, alone(drawn))


def rows(study: str) -> Iterator[tuple[str, Interval]]:
    """Yield the differences of a study, the sizes in order."""
    found = StudyResults.model_validate_json((PUBLISHED / study / RESULTS).read_bytes())
    for block in (block for block in found.blocks if block.tested == REAL):
        for arm, says in ARMS.items():
            yield f"{few_or_all(block)}: {says}", points(block, arm)


def few_or_all(block: Block) -> str:
    """Say how many real images there were."""
    return "all images" if block.size is None else f"{block.size} a class"


def points(block: Block, arm: str) -> Interval:
    """Return what ``arm`` adds in points of macro F1."""
    (gain,) = (
        c.macro_f1 for c in block.report.comparisons if (c.arm, c.baseline) == (arm, AGAINST)
    )
    return Interval(100 * gain.value, 100 * gain.low, 100 * gain.high)


if __name__ == "__main__":
    main()
