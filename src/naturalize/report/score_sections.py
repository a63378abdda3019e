"""The part of the report that says how well each arm did, and which differences can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from naturalize.artefact import Artefact
from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.comparison import Comparison
from naturalize.evaluate.evaluation import EvaluationReport
from naturalize.page.block import Block, Callout, KeyFigure, KeyFigures
from naturalize.page.confusion_figure import confusion_figure
from naturalize.page.figure import Figure
from naturalize.page.interval_plot import interval_plot
from naturalize.page.page import Section
from naturalize.page.table import Cell, Table
from naturalize.report.words import doubt, minus, p_value, said

ARM_MEANINGS = {
    "none": "images as they are",
    "flips": "flips and quarter turns",
    "crops": "random squares of a wider crop",
    "stain": "other stain and light",
    "randaugment": "RandAugment",
    "strong": "flips, quarter turns, crops, other stain and light, RandAugment",
    "mixup": "two images blended",
    "cutmix": "a piece of one image in another",
    "balanced": "each class shown equally often",
    "class-weights": "rare classes count more",
    "hard-labels": "no label smoothing",
    "maturation": "labels smoothed along the maturation line",
    "naturalize": "flips and quarter turns, half of the images composites",
    "average": "the runs asked together, the mean of their probabilities",
    "naturalize online": "half of the images composites too, each new",
}


def verdict(comparison: Comparison) -> str:
    """Say in one sentence what a comparison shows, by the interval of the macro F1 difference."""
    gain = comparison.macro_f1
    points = minus(f"{100 * gain.value:+.1f} points of macro F1")
    span = minus(f"95% interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}")
    if gain.low > 0:
        judged = "is better than"
    elif gain.high < 0:
        judged = "is worse than"
    else:
        judged = "cannot be told from"
    told = f"“{comparison.arm}” {judged} “{comparison.baseline}” here: {points} ({span})"
    return f"{told}{doubt(comparison)}."


def result_section(report: EvaluationReport, arms: Mapping[str, Sequence[Artefact]]) -> Section:
    """Show the scores of the arms with intervals, and the comparisons with p-values."""
    best = max(report.arms, key=lambda arm: arm.scores.macro_f1.value)
    figures = KeyFigures(
        (
            KeyFigure("untouched test images", f"{report.n:,}", f"{report.n_groups:,} independent"),
            KeyFigure("best accuracy", f"{best.scores.accuracy.value:.3f}", best.name),
            KeyFigure(
                "its macro F1", f"{best.scores.macro_f1.value:.3f}", _span(best.scores.macro_f1)
            ),
        )
    )
    rows: list[list[Cell]] = [
        [
            arm.name,
            arm.seeds,
            _images_seen(arm.name, arms),
            said(arm.scores.accuracy),
            said(arm.scores.macro_f1),
        ]
        for arm in report.arms
    ]
    columns = ["arm", "seeds", "images seen", "accuracy", "macro F1"]
    caption = (
        f"Arms ({_meanings(report)}). All saw the same number of images{_exposure(report)}. "
        f"Scores have {report.level:.0%} intervals: the bootstrap draws groups of images, and "
        f"seeds where there are several, {report.resamples:,} times."
    )
    plot = interval_plot(
        [(arm.name, arm.scores.macro_f1) for arm in report.arms],
        title="Macro F1 of each arm on untouched test images",
        x_label="macro F1",
    )
    body: list[Block] = [
        figures,
        *(Callout(verdict(c), heading="In short") for c in report.comparisons),
        Table(columns, rows, caption, numeric=[1, 2]),
        Figure(plot, "Macro F1: the mean over classes, each counting the same."),
    ]
    if report.comparisons:
        body.append(_comparisons(report))
    if len(report.comparisons) > 1:
        body.append(_adjusted(report.comparisons))
    seeds = max(arm.seeds for arm in report.arms)
    if seeds == 1:
        body.append(
            Callout(
                "One seed each: the intervals hold the chance of which images were tested, not of "
                "how training happened to go. Repeat with other seeds before believing a small "
                "difference.",
                tone="warning",
            )
        )
    return Section("Did it help?", tuple(body))


def _images_seen(name: str, arms: Mapping[str, Sequence[Artefact]]) -> int:
    """Return what one seed of an arm was shown; of an average, all its members together."""
    if name in arms:
        return int(arms[name][0].summary["images_seen"])
    seeds = max(len(runs) for runs in arms.values()) if len(arms) == 1 else 1
    members = [run for runs in arms.values() for run in runs[:seeds]]
    return sum(int(run.summary["images_seen"]) for run in members)


def _settings(report: EvaluationReport) -> list[str]:
    """Return the settings that the arms combine, in the order of :data:`ARM_MEANINGS`."""
    used = set[str]()
    for arm in report.arms:
        name = arm.name.split(",")[0].split(" (")[0]
        used |= {"naturalize online"} if name.endswith(" online") else set()
        used |= {"average"} if name.startswith("average") else set()
        used |= set(name.removesuffix(" online").split("+"))
    return [setting for setting in ARM_MEANINGS if setting in used]


def _meanings(report: EvaluationReport) -> str:
    return "; ".join(f"{setting}: {ARM_MEANINGS[setting]}" for setting in _settings(report))


def _exposure(report: EvaluationReport) -> str:
    alike = ", and each class equally often"
    return "" if "balanced" in _settings(report) else alike


def _comparisons(report: EvaluationReport) -> Table:
    rows = [
        [
            f"{c.arm} against {c.baseline}",
            said(c.accuracy, signed=True),
            said(c.macro_f1, signed=True),
            ", ".join(f"{t.only_b}/{t.only_a}" for t in c.mcnemar),
            ", ".join(p_value(t.p) for t in c.mcnemar),
        ]
        for c in report.comparisons
    ]
    return Table(
        ["comparison", "accuracy", "macro F1", "gained / lost", "McNemar p"],
        rows,
        "Differences on the same images by paired bootstrap; gained / lost are test images that "
        "only the first / only the second arm got right, judged by McNemar's exact test for each "
        "seed.",
    )


def _adjusted(comparisons: Sequence[Comparison]) -> Table:
    rows = [
        [
            f"{c.arm} against {c.baseline}",
            p_value(c.p),
            p_value(c.holm_p),
            ", ".join(map(p_value, c.mcnemar_holm_p)),
        ]
        for c in comparisons
    ]
    return Table(
        ["comparison", "bootstrap p", "the same, Holm", "McNemar p, Holm"],
        rows,
        f"P-values of the difference in macro F1, and p-values adjusted for {len(comparisons)} "
        "comparisons by Holm's method.",
    )


def classes_section(report: EvaluationReport) -> Section:
    """Show precision, recall and F1 of each class, and the confusion matrices."""
    tables: list[Block] = [
        Table(
            ["class", "test images", *(f"F1, {arm.name}" for arm in report.arms)],
            [
                [
                    label,
                    report.arms[0].scores.per_class[i].support,
                    *(said(arm.scores.per_class[i].f1) for arm in report.arms),
                ]
                for i, label in enumerate(report.classes)
            ],
            "F1 of each class with its interval.",
            numeric=[1],
        )
    ]
    for arm in report.arms:
        matrix = np.array(arm.summed_confusion, dtype=np.int64)
        drawn = confusion_figure(matrix, report.classes, title=f"Confusion matrix, {arm.name}")
        seeds = "" if arm.seeds == 1 else f", {arm.seeds} seeds added up"
        tables.append(
            Figure(drawn, f"{arm.name}{seeds}: rows are the labels, columns the answers.")
        )
        tables.append(
            Table(
                ["class", "precision", "recall", "F1"],
                [
                    [c.label, said(c.precision), said(c.recall), said(c.f1)]
                    for c in arm.scores.per_class
                ],
                f"{arm.name}: precision, recall and F1.",
            )
        )
    return Section("Class by class", tuple(tables))


def _span(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"
