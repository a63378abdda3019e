"""The paper's tables made again, as JSON and a page of Markdown: figures only, no pixel.

    naturalize study paper --split out/real/split -o out/study/paper
    python benchmarks/paper_results.py out/study/paper -o docs/results/paper

Words in ``--told FILE`` stand below the question.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from naturalize.artefact import write_whole
from naturalize.study.paper_page import RESULTS, WHY, inflation, paper_grids
from naturalize.study.paper_results import PaperResults
from naturalize.study.published import published


def main() -> None:
    """Write ``results.json`` and ``README.md``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("study", type=Path, metavar="FOLDER")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--told", type=Path, help="Markdown below the question.")
    args = parser.parse_args()
    results = PaperResults.model_validate_json((args.study / RESULTS).read_bytes())
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / RESULTS, results.model_dump_json(indent=1) + "\n")
    told = args.told.read_text().strip() if args.told else ""
    write_whole(args.out / "README.md", page(results, told))


def page(results: PaperResults, told: str) -> str:
    """Return the page: what composites in the test add, why, and the tables beside the paper's."""
    spec = results.spec
    drawn = "phantoms" if results.phantoms else "all curated images"
    written = "\n".join(f"    {line}" for line in spec.yaml().strip().splitlines())
    parts = [
        f"# {spec.question}",
        told,
        "**The paper's protocol: composites of all images, then the split. Not a fair test, and "
        "not meant as one.**",
        f"Made by `naturalize study {spec.name} --split SPLIT -o STUDY` and `python "
        f"benchmarks/paper_results.py STUDY` of {drawn}; seeds "
        f"{', '.join(map(str, spec.seeds))}, {len(results.rows)} trainings, each shown "
        f"{spec.training.budget:,} images at {spec.training.px} px. The paper: "
        f"{published().source}; its Tables 7 to 12 are of EfficientNetV2-B0.",
        "## How much do composites in the test add?",
        inflation(results),
        intervals(results),
        WHY,
        *(grid.markdown() for grid in paper_grids(results)),
        f"## The spec\n\n{written}",
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def intervals(results: PaperResults) -> str:
    """Return the scores on real test images with their intervals, and that on composites."""
    lines = [
        "| set | network | images | accuracy, real part | macro F1, real part | accuracy, made |",
        "|---|---|---|---|---|---|",
    ]
    for row in results.rows:
        made = "–" if row.synthetic is None else f"{row.synthetic:.3f}"
        lines.append(
            f"| {row.set_name} | {row.model} | {row.n_real:,} + {row.n_synthetic:,} | "
            f"{row.real.accuracy.said()} | {row.real.macro_f1.said()} | {made} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
