"""Evaluate runs on their untouched test images and write the page that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.errors import InputError
from naturalize.evaluate.average import average as mean
from naturalize.evaluate.average import validation_weights
from naturalize.evaluate.evaluation import RESAMPLES, EvaluationReport, evaluate_arms
from naturalize.page.page import Section, render_page
from naturalize.predictions import Predictions
from naturalize.report.certainty_sections import blood_section, certainty_section
from naturalize.report.data_sections import (
    composites_section,
    data_section,
    segmentation_section,
    versions_section,
)
from naturalize.report.lineage import Lineage, arm_names, trace
from naturalize.report.score_sections import classes_section, result_section
from naturalize.report.sensitivity import sensitivities, sensitivity_section
from naturalize.report.training_section import training_section
from naturalize.seeds import child
from naturalize.split.split import RealSplit

PAGE = "report.html"
EVALUATION = "evaluation.json"
Average = Literal["equal", "validation"]
AVERAGES: dict[Average, str] = {"equal": "average", "validation": "average weighted on validation"}


def make_report(
    runs: Sequence[Artefact],
    out: Path,
    *,
    seed: int = 0,
    average: Average | None = None,
    resamples: int = RESAMPLES,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Write a ``report`` artefact: ``evaluation.json`` and one self-contained ``report.html``.

    Runs alike in arm, model and mode are the seeds of one arm; each arm is compared with the one
    before it. ``average`` adds an arm that asks all others together, see :func:`averages`. Raises
    :class:`InputError` for runs of different splits.
    """
    lineage = trace(runs)
    split = RealSplit.load(lineage.split)

    def write(draft: Draft) -> None:
        report = evaluate_runs(runs, split, seed=seed, average=average, resamples=resamples)
        draft.write(EVALUATION, report.model_dump_json(indent=1) + "\n")
        draft.write(PAGE, _page(report, lineage, split))
        best = max(report.arms, key=lambda arm: arm.scores.macro_f1.value)
        draft.summary.update(
            n=report.n,
            macro_f1={arm.name: arm.scores.macro_f1.value for arm in report.arms},
            best=best.name,
        )

    inputs = {f"run-{i}": run for i, run in enumerate(runs)}
    averaged = {} if average is None else {"average": average}
    request = Request("report", {"resamples": resamples} | averaged, inputs, seed)
    return build(out, request, write, if_exists=if_exists)


def evaluate_runs(
    runs: Sequence[Artefact],
    split: RealSplit,
    *,
    seed: int = 0,
    average: Average | None = None,
    resamples: int = RESAMPLES,
) -> EvaluationReport:
    """Score runs on the test side of ``split``, each arm compared with the one before it."""
    grouped = arm_names(runs)
    arms = {
        name: [Predictions.load(run.path / "test.npz") for run in seeds]
        for name, seeds in grouped.items()
    }
    if average is not None:
        arms[AVERAGES[average]] = averages(grouped, split, average)
    pairs = [(a, b) for a, b in pairwise(arms) if len(arms[a]) == len(arms[b])]
    report = evaluate_arms(
        arms,
        {sample.id: sample.label for sample in split.test},
        {sample.id: sample.group for sample in split.test},
        rng=child(seed, "evaluate"),
        pairs=pairs,
        resamples=resamples,
    )
    curated = runs[0].input("split").input("curated")
    again = sensitivities(
        arms, split.root, split.test, curated, pairs=pairs, seed=seed, resamples=resamples
    )
    return report.model_copy(update={"sensitivity": again})


def averages(
    arms: Mapping[str, Sequence[Artefact]], split: RealSplit, how: Average
) -> list[Predictions]:
    """Average the test predictions of ``arms`` seed by seed, or those of all seeds of one arm.

    ``equal`` counts each run the same; ``validation`` weighs them so that their mean makes the
    labels of the validation images most probable. :class:`InputError` where arms differ in their
    number of seeds.
    """
    counts = {name: len(runs) for name, runs in arms.items()}
    if len(set(counts.values())) > 1:
        got = ", ".join(f"{name} with {count}" for name, count in counts.items())
        raise InputError("--average", "arms with the same number of seeds", got)
    members = list(zip(*arms.values(), strict=True)) if len(arms) > 1 else list(arms.values())
    truth = {sample.id: sample.label for sample in split.val}
    found = []
    for runs in members:
        test = [Predictions.load(run.path / "test.npz") for run in runs]
        val = [Predictions.load(run.path / "val.npz") for run in runs]
        found.append(mean(test, validation_weights(val, truth) if how == "validation" else None))
    return found


def _page(report: EvaluationReport, lineage: Lineage, split: RealSplit) -> str:
    arms = arm_names(lineage.runs)
    sections: list[Section | None] = [
        result_section(report, arms),
        sensitivity_section(report.sensitivity),
        data_section(lineage, split),
        segmentation_section(lineage, split),
        composites_section(lineage, split),
        classes_section(report),
        blood_section(report),
        certainty_section(report),
        training_section(arms),
        versions_section(lineage),
    ]
    phantom = lineage.dataset.summary.get("layout") == "phantom"
    subtitle = (
        "These images are phantoms, drawn by the computer: the page shows how the method works "
        "and is evidence of nothing about real cells."
        if phantom
        else "All scores are on real images the software never saw while it learned."
    )
    return render_page(
        "Does recomposing real cells help to tell them apart?",
        [section for section in sections if section is not None],
        subtitle=subtitle,
        footer="Research use only; not a medical device. Made by naturalize.",
    )
