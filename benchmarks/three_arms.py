"""Three arms at equal budget on the frozen split of real PBC images, several seeds each.

    naturalize import ../shared/data/PBC_dataset_normal_DIB -o out/real/dataset
    naturalize curate out/real/dataset -o out/real/curated
    naturalize split out/real/curated --from docs/results/split/pbc.csv -o out/real/split
    naturalize cut out/real/split -o out/real/bank
    naturalize compose out/real/bank --count 8370 -o out/real/composites
    naturalize pack out/real/split --composites out/real/composites --quality 85 -o out/real/pack
    python benchmarks/three_arms.py train out/real
    python benchmarks/three_arms.py publish out/real -o docs/results/three-arms

``train`` needs the folders split, composites (without its images) and pack; ``publish`` needs the
runs and the split, and writes figures only, no pixel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from naturalize.artefact import Artefact, open_artefact
from naturalize.cli.allocator import SETTINGS
from naturalize.evaluate.evaluation import EvaluationReport, evaluate_arms
from naturalize.predictions import Predictions
from naturalize.report.lineage import arm_names
from naturalize.seeds import child
from naturalize.split.split import RealSplit

ARMS = ("none", "flips", "naturalize")
PAIRS = (("none", "flips"), ("flips", "naturalize"), ("none", "naturalize"))
MAIN_SOURCE = (363, 360)


def main() -> None:
    """Train the arms, or turn finished runs into figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("step", choices=("train", "publish"))
    parser.add_argument("home", type=Path, help="folder with split, composites, pack and runs")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=16_384, help="images seen by each run")
    parser.add_argument("--px", type=int, default=128, help="input size")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time")
    parser.add_argument("-o", "--out", type=Path, default=Path("docs/results/three-arms"))
    args = parser.parse_args()
    if args.step == "train":
        train(args.home, args.model, args.seeds, args.budget, args.px, args.parallel)
    else:
        publish(args.home, args.model, args.out)


def train(home: Path, model: str, seeds: int, budget: int, px: int, parallel: int) -> None:
    """Run all arms and seeds, resuming what was interrupted, ``parallel`` at a time."""
    commands = [
        [
            sys.executable, "-m", "naturalize", "train", str(home / "split"), "--resume",
            "--arm", arm, "--seed", str(seed), "--budget", str(budget), "--model", model,
            "--px", str(px), "--pack", str(home / "pack"),
            "-o", str(home / f"{model}-{arm}-{seed}"),
            *(["--composites", str(home / "composites")] if arm == "naturalize" else []),
        ]
        for seed in range(seeds)
        for arm in ARMS
    ]  # fmt: skip
    threads = str(max(1, (os.cpu_count() or 1) // parallel))
    environment = os.environ | SETTINGS | {"OMP_NUM_THREADS": threads}
    running: list[subprocess.Popen[bytes]] = []
    for command in commands:
        if len(running) == parallel:
            check(running.pop(0))
        print(" ".join(command[3:]), flush=True)
        quiet = subprocess.DEVNULL if parallel > 1 else None
        running.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))
    for process in running:
        check(process)


def check(process: subprocess.Popen[bytes]) -> None:
    """Wait for one run; stop if it failed."""
    if process.wait():
        raise SystemExit(f"failed: {process.args}")


def publish(home: Path, model: str, out: Path) -> None:
    """Evaluate all runs of ``model`` below ``home`` and write JSON and a page of figures."""
    split_artefact = open_artefact(home / "split", "split")
    split = RealSplit.load(split_artefact)
    folders = sorted(path for path in home.glob(f"{model}-*-*") if path.is_dir())
    runs = arm_names([open_artefact(path, "run") for path in folders])
    arms = {name: runs[name] for name in ARMS}
    everything = {sample.id: sample for sample in split.test}
    main = {
        name: sample
        for name, sample in everything.items()
        if (sample.height_px, sample.width_px) == MAIN_SOURCE
    }
    out.mkdir(parents=True, exist_ok=True)
    reports = {}
    for what, samples in (("all", everything), ("main-source", main)):
        report = evaluate_arms(
            {
                name: [Predictions.load(run.path / "test.npz").only(samples) for run in arms[name]]
                for name in ARMS
            },
            {name: sample.label for name, sample in samples.items()},
            {name: sample.group for name, sample in samples.items()},
            rng=child(0, "evaluate"),
            pairs=PAIRS,
        )
        (out / f"{model}-{what}.json").write_text(report.model_dump_json(indent=1) + "\n")
        reports[what] = report
    (out / f"{model}.md").write_text(page(reports, arms, split_artefact))
    print(f"wrote {out}")


def page(
    reports: Mapping[str, EvaluationReport],
    arms: Mapping[str, list[Artefact]],
    split: Artefact,
) -> str:
    """Return the figures as Markdown."""
    report, first = reports["all"], arms["flips"][0]
    summary, parameters = first.summary, first.manifest["parameters"]
    sides = {side: sum(counts.values()) for side, counts in split.summary["counts"].items()}
    seeds = ", ".join(str(run.manifest["seed"]) for run in arms["flips"])
    lines = [
        f"# Three arms on real images, {summary['model']}",
        "",
        "Made by `python benchmarks/three_arms.py publish`; the commands before it stand at the "
        "top of that file.",
        "",
        f"- Data: PBC (Acevedo et al. 2020), the {sum(sides.values()):,} labelled images at hand; "
        f"split `{split.id}` ([frozen](../split/pbc.csv)): train {sides['train']:,}, validation "
        f"{sides['val']:,}, test {sides['test']:,} real, untouched images.",
        f"- Training: {summary['weights']} weights, {parameters['mode']}, "
        f"{parameters['input_px']} px of a {parameters['crop_px']}-px centre crop, "
        f"{summary['images_seen']:,} images seen by every run, batch {parameters['batch_size']}, "
        f"one-cycle to {parameters['learning_rate']}, last weights; {summary['precision']} on "
        f"{summary['device']}. Seeds {seeds}.",
        f"- Composites: {arms['naturalize'][0].summary['composites']:,}, recipe `naturalize`, from "
        "train images only; each second image of the arm `naturalize` is one, of the class the "
        "real image had.",
        f"- Intervals: {report.level:.0%}, bootstrap over {report.n_groups:,} groups and seeds, "
        f"{report.resamples:,} resamples.",
        "",
    ]
    for what, title in (
        ("all", "All test images"),
        ("main-source", "Main acquisition source only (363 x 360 px)"),
    ):
        lines += [f"## {title}, n = {reports[what].n:,}", "", *tables(reports[what]), ""]
    lines += ["## F1 of each class, all test images", "", *class_table(report), ""]
    return "\n".join(lines)


def tables(report: EvaluationReport) -> list[str]:
    """Return the scores of the arms and their differences as Markdown tables."""
    lines = ["| arm | accuracy | macro F1 | macro F1 of each seed |", "|---|---|---|---|"]
    for arm in report.arms:
        each = ", ".join(f"{seed.macro_f1:.3f}" for seed in arm.per_seed)
        scores = arm.scores
        lines.append(
            f"| {arm.name} | {scores.accuracy.said()} | {scores.macro_f1.said()} | {each} |"
        )
    lines += [
        "",
        "| difference | accuracy | macro F1 | exact McNemar p of each seed |",
        "|---|---|---|---|",
    ]
    for c in report.comparisons:
        each = ", ".join(f"{test.p:.3f}" for test in c.mcnemar)
        gain, f1 = c.accuracy.said(signed=True), c.macro_f1.said(signed=True)
        lines.append(f"| {c.arm} - {c.baseline} | {gain} | {f1} | {each} |")
    return lines


def class_table(report: EvaluationReport) -> list[str]:
    """Return F1 of each class and arm as a Markdown table."""
    names = [arm.name for arm in report.arms]
    lines = [f"| class | test images | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for i, label in enumerate(report.classes):
        per_class = [arm.scores.per_class[i] for arm in report.arms]
        cells = " | ".join(c.f1.said() for c in per_class)
        lines.append(f"| {label} | {per_class[0].support} | {cells} |")
    return lines


if __name__ == "__main__":
    main()
