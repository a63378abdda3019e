"""Evaluate runs on their untouched test images and write the page that says so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.evaluate.evaluation import EvaluationReport, evaluate_arms
from naturalize.page.page import Section, render_page
from naturalize.predictions import Predictions
from naturalize.report.data_sections import (
    composites_section,
    data_section,
    segmentation_section,
    versions_section,
)
from naturalize.report.lineage import Lineage, arm_names, trace
from naturalize.report.score_sections import classes_section, curves_section, result_section
from naturalize.seeds import child
from naturalize.split.split import RealSplit

PAGE = "report.html"
EVALUATION = "evaluation.json"
RESAMPLES = 2000


def make_report(
    runs: Sequence[Artefact],
    out: Path,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Write a ``report`` artefact: ``evaluation.json`` and one self-contained ``report.html``.

    Runs alike in arm, model and mode are the seeds of one arm; each arm is compared with the one
    before it. Raises :class:`InputError` for runs of different splits.
    """
    lineage = trace(runs)
    split = RealSplit.load(lineage.split)

    def write(draft: Draft) -> None:
        report = evaluate_runs(runs, split, seed=seed, resamples=resamples)
        draft.write(EVALUATION, report.model_dump_json(indent=1) + "\n")
        draft.write(PAGE, _page(report, lineage, split))
        best = max(report.arms, key=lambda arm: arm.scores.macro_f1.value)
        draft.summary.update(
            n=report.n,
            macro_f1={arm.name: arm.scores.macro_f1.value for arm in report.arms},
            best=best.name,
        )

    inputs = {f"run-{i}": run for i, run in enumerate(runs)}
    request = Request("report", {"resamples": resamples}, inputs, seed)
    return build(out, request, write, if_exists=if_exists)


def evaluate_runs(
    runs: Sequence[Artefact], split: RealSplit, *, seed: int = 0, resamples: int = RESAMPLES
) -> EvaluationReport:
    """Score runs on the test side of ``split``, each arm compared with the one before it."""
    arms = arm_names(runs)
    names = list(arms)
    return evaluate_arms(
        {name: [Predictions.load(run.path / "test.npz") for run in arms[name]] for name in names},
        {sample.id: sample.label for sample in split.test},
        {sample.id: sample.group for sample in split.test},
        rng=child(seed, "evaluate"),
        pairs=list(pairwise(names)),
        resamples=resamples,
    )


def _page(report: EvaluationReport, lineage: Lineage, split: RealSplit) -> str:
    arms = arm_names(lineage.runs)
    sections: list[Section | None] = [
        result_section(report, arms),
        data_section(lineage, split),
        segmentation_section(lineage, split),
        composites_section(lineage, split),
        classes_section(report),
        curves_section(arms),
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
