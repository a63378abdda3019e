"""The parts of the report on how far off wrong answers are, and what probabilities are worth."""

from __future__ import annotations

from markupsafe import Markup

from naturalize.evaluate.certainty import COVERAGES
from naturalize.evaluate.evaluation import ArmResult, EvaluationReport
from naturalize.page.block import Block
from naturalize.page.figure import Figure
from naturalize.page.line_plot import lines
from naturalize.page.page import Section
from naturalize.page.svg import PALETTE
from naturalize.page.table import Cell, Table
from naturalize.report.words import said


def blood_section(report: EvaluationReport) -> Section | None:
    """Show how far off errors are on the maturation line, and the scores of PBC's eight folders."""
    rows: list[list[Cell]] = [
        [
            arm.name,
            said(arm.blood.kappa),
            said(arm.blood.tolerant_accuracy),
            said(arm.blood.tolerant_macro_f1),
            said(arm.blood.folder_accuracy),
            said(arm.blood.folder_macro_f1),
        ]
        for arm in report.arms
        if arm.blood is not None
    ]
    if not rows:
        return None
    columns = [
        "arm",
        "kappa",
        "accuracy, one stage off is right",
        "macro F1, one stage off is right",
        "accuracy, 8 classes",
        "macro F1, 8 classes",
    ]
    caption = (
        "Kappa: agreement along PMY-MY-MMY-BNE-SNE, quadratic weights, of images labelled and "
        "answered on that line. 8 classes: the folders of PBC, where BNE and SNE are neutrophils, "
        "PMY, MY and MMY immature granulocytes."
    )
    lead = "Neighbours on the maturation line are told apart by convention; experts often disagree."
    return Section("How far off are the errors?", (Table(columns, rows, caption),), lead=lead)


def certainty_section(report: EvaluationReport) -> Section:
    """Show calibration, ranking, and what accuracy is left when a person takes the rest."""
    kept = [f"accuracy of the surest {share:.0%}" for share in COVERAGES]
    rows: list[list[Cell]] = [
        [
            arm.name,
            said(arm.certainty.ece),
            said(arm.certainty.macro_auroc),
            said(arm.certainty.risk_coverage),
            *(said(one.accuracy) for one in arm.certainty.covered),
        ]
        for arm in report.arms
    ]
    caption = (
        "Calibration error: the mean gap between confidence and accuracy, 15 bins; AUROC: each "
        "class against all others, the mean over classes; risk over coverage: the mean share of "
        "errors among the surest answers, over all shares (lower is better)."
    )
    columns = ["arm", "calibration error", "AUROC", "risk over coverage", *kept]
    body: list[Block] = [Table(columns, rows, caption)]
    shown = report.arms[: len(PALETTE) - 1]
    body += [
        Figure(
            lines(
                {arm.name: arm.certainty.curve for arm in shown},
                "share of images answered",
                "accuracy of these answers",
                title="Accuracy of the surest answers",
            ),
            "Where the model answers only what it is surest of and leaves the rest to a person.",
        ),
        Figure(_reliability(shown), "On the dashed line of truth, confidence is what it says."),
        _areas(report),
    ]
    return Section("What are its probabilities worth?", tuple(body))


def _reliability(arms: tuple[ArmResult, ...]) -> Markup:
    curves = {
        arm.name: [(one.confidence, one.accuracy) for one in arm.certainty.bins] for arm in arms
    }
    truth = {"as confident as right": [(0.1, 0.1), (1.0, 1.0)]}
    return lines(
        curves | truth, "confidence", "share of answers that are right", title="Reliability"
    )


def _areas(report: EvaluationReport) -> Table:
    rows = [
        [label, *(said(arm.certainty.auroc[i]) for arm in report.arms)]
        for i, label in enumerate(report.classes)
    ]
    columns = ["class", *(arm.name for arm in report.arms)]
    return Table(columns, rows, "AUROC of each class against all others.")
