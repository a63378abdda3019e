"""What a study found, as JSON and a page of Markdown: figures and charts only, no pixel.

    naturalize study low-data --split out/real/split -o out/study/low-data
    python benchmarks/study_results.py out/study/low-data -o docs/results/low-data

``FOLDER`` is the folder of a study, or a page made of one; several are parts of one study, run at
different sizes. Arms that are not complete at a size are left out, and named.
Words in ``--told FILE`` stand below the question.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from naturalize.artefact import write_whole
from naturalize.page.interval_plot import interval_plot
from naturalize.study.curves import curves
from naturalize.study.grids import classes_grid, comparisons_grid, further_grid, scores_grid, titled
from naturalize.study.render_study import RESULTS
from naturalize.study.results import Block, StudyResults
from naturalize.study.spec import Spec

CURVES = "curves.svg"
ALONE = 'style="background: #ffffff; font-family: sans-serif; '
"""What a drawing needs outside of a page."""


def main() -> None:
    """Write ``results.json``, ``README.md``, curves, a chart for each size and set of images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("study", type=Path, metavar="FOLDER", nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--told", type=Path, help="Markdown below the question.")
    args = parser.parse_args()
    parts = [StudyResults.model_validate_json((one / RESULTS).read_bytes()) for one in args.study]
    results = joined(parts)
    args.out.mkdir(parents=True, exist_ok=True)
    write_whole(args.out / "results.json", results.model_dump_json(indent=1) + "\n")
    for number, block in enumerate(results.blocks, start=1):
        if block.report.comparisons:
            write_whole(args.out / f"differences-{number}.svg", chart(block))
    over = curves(results) if has_curves(results.spec) else None
    if over is not None:
        write_whole(args.out / CURVES, alone(over))
    told = args.told.read_text().strip() if args.told else ""
    write_whole(args.out / "README.md", page(results, told))


def joined(parts: Sequence[StudyResults]) -> StudyResults:
    """Return one study of its parts, each of other sizes; SystemExit where they are not of one."""
    first = parts[0]
    sizes = [size for part in parts for size in part.spec.sizes]
    same = all(but_for_sizes(part.spec) == but_for_sizes(first.spec) for part in parts)
    if not same or len(set(sizes)) < len(sizes):
        raise SystemExit(f"FOLDER: parts of study {first.spec.name}, each of other sizes")
    splits = dict.fromkeys(part.split_id for part in parts)
    return first.model_copy(
        update={
            "spec": first.spec.model_copy(update={"sizes": tuple(sorted(sizes))}),
            "split_id": "`, `".join(splits),
            "cells": sum(part.cells for part in parts),
            "seconds": sum(part.seconds for part in parts),
            "blocks": tuple(
                sorted((b for part in parts for b in part.blocks), key=lambda b: b.size or 0)
            ),
        }
    )


def but_for_sizes(spec: Spec) -> Spec:
    """Return a spec without its sizes and its precision, in which machines differ."""
    training = spec.training.model_copy(update={"precision": None})
    return spec.model_copy(update={"sizes": (), "training": training})


def page(results: StudyResults, told: str) -> str:
    """Return the page of a study."""
    spec = results.spec
    seeds = ", ".join(map(str, spec.seeds))
    command = f"naturalize study {spec.name} --split SPLIT"
    parts = [
        f"# {spec.question}",
        told,
        f"Made by `{command} -o STUDY` and `python benchmarks/study_results.py STUDY`"
        f"{', the words above from `told.md`' if told else ''}. Split "
        f"`{results.split_id}` ([frozen](../split/pbc.csv)); seeds {seeds}; {results.cells} "
        f"trainings, {results.seconds / 60:,.0f} minutes in all, each shown {results.seen:,} "
        "images. Intervals: 95%, paired bootstrap over groups of images and seeds.",
    ]
    if has_curves(spec):
        parts.append(f"![Macro F1 over {spec.curve}]({CURVES})")
    for number, block in enumerate(results.blocks, start=1):
        parts += block_parts(block, number)
    written = yaml.safe_dump(without_empty(spec.model_dump(mode="json")), sort_keys=False)
    parts.append(f"## The spec\n\n```yaml\n{written}```")
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def has_curves(spec: Spec) -> bool:
    """Return whether curves would have more than one point."""
    return spec.curve == "dose" or len(spec.sizes) > 1


def without_empty(value: Any) -> Any:
    """Return what a spec says without what it leaves open."""
    if not isinstance(value, dict):
        return value
    told = {key: without_empty(part) for key, part in value.items()}
    return {key: part for key, part in told.items() if part not in (None, "", [], {})}


def block_parts(block: Block, number: int) -> Iterator[str]:
    """Yield the tables of one size on one set of images."""
    yield scores_grid(block).markdown()
    if block.missing:
        yield f"Not run: {', '.join(block.missing)}."
    if block.lacking:
        yield f"No tested image is of {', '.join(block.lacking)}: read accuracy, not macro F1."
    if block.report.comparisons:
        yield f"![Differences](differences-{number}.svg)"
        yield comparisons_grid(block).markdown()
    yield further_grid(block).markdown()
    yield classes_grid(block).markdown()


def chart(block: Block) -> str:
    """Return the differences between arms as an SVG picture."""
    by_accuracy = bool(block.lacking)
    gains = [
        (f"{c.arm} against {c.baseline}", c.accuracy if by_accuracy else c.macro_f1)
        for c in block.report.comparisons
    ]
    label = f"difference in {'accuracy' if by_accuracy else 'macro F1'}"
    drawn = interval_plot(gains, title=f"Differences, {titled(block)}", x_label=label, reference=0)
    return alone(drawn)


def alone(drawn: Markup) -> str:
    """Return a drawing as a picture of its own."""
    return str(drawn).replace('style="', ALONE, 1) + "\n"


if __name__ == "__main__":
    main()
