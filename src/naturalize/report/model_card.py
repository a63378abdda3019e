"""What a reader of a trained network should know before using it, as one page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from naturalize.artefact import Artefact
from naturalize.evaluate.evaluation import ArmResult
from naturalize.report.lineage import trace
from naturalize.report.make_report import evaluate_runs
from naturalize.split.split import RealSplit


def model_card(run: Artefact) -> str:
    """Describe the network of ``run``: what it takes, what it learned from, how well it does."""
    lineage = trace([run])
    split = RealSplit.load(lineage.split)
    report = evaluate_runs([run], split)
    phantom = lineage.dataset.summary.get("layout") == "phantom"
    name = f"{run.summary['model']}, {len(report.classes)} classes"
    return "\n".join(
        [
            "---",
            "library_name: naturalize",
            "pipeline_tag: image-classification",
            "---",
            f"# {name}",
            "",
            "Research use only; not a medical device.",
            "",
            *_input(run.manifest["parameters"], report.classes),
            "",
            *_training(run),
            "",
            *_scores(report.arms[0], report.n, report.n_groups),
            "",
            *_limits(phantom),
            "",
        ]
    )


def _input(parameters: Mapping[str, Any], classes: tuple[str, ...]) -> list[str]:
    side, crop = parameters["input_px"], parameters["crop_px"]
    square = "largest centred square" if crop is None else f"centred square of {crop} px"
    return [
        "## What it takes and gives",
        "",
        f"One RGB image with the cell at its centre: the {square}, resized to {side} x {side} px. "
        "Mean and standard deviation of the normalisation stand in `model.json`; `model.onnx` has "
        "both built in and takes float32 pixels from 0 to 255 as `images` (N, 3, "
        f"{side}, {side}).",
        "",
        f"Logits of {len(classes)} classes, in this order: {', '.join(classes)}.",
    ]


def _training(run: Artefact) -> list[str]:
    told = run.summary
    return [
        "## What it learned from",
        "",
        f"{told['train_images']:,} real train images, {told['images_seen']:,} shown; arm "
        f"`{told['arm']}`, mode `{told['mode']}`, first weights: {told['weights']}. Run "
        f"`{run.id}`, split `{run.manifest['inputs']['split']['id']}`, seed "
        f"{run.manifest['seed']}.",
    ]


def _scores(arm: ArmResult, n: int, n_groups: int) -> list[str]:
    found = arm.scores
    rows = [
        f"| {c.label} | {c.precision.said()} | {c.recall.said()} | {c.f1.said()} |"
        for c in found.per_class
    ]
    return [
        "## How well it does",
        "",
        f"On {n:,} real test images ({n_groups:,} independent) that nothing was chosen on: "
        f"accuracy {found.accuracy.said()}, macro F1 {found.macro_f1.said()} (95% intervals).",
        "",
        "| class | precision | recall | F1 |",
        "|---|---|---|---|",
        *rows,
    ]


def _limits(phantom: bool) -> list[str]:
    phantoms = "It learned from phantoms, drawn by the computer: it knows no real cell. "
    return [
        "## Limits",
        "",
        (phantoms if phantom else "")
        + "Scores hold for images like those of the test side: the same scanners, stains and "
        "labels. No patient numbers kept patients apart unless the data named them.",
    ]
