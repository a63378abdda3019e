"""The parts of the report on how far off wrong answers are, and what probabilities are worth."""

from __future__ import annotations

from markupsafe import Markup

from naturalize.evaluate.calibration import ReliabilityBin
from naturalize.evaluate.certainty import COVERAGES
from naturalize.evaluate.evaluation import ArmResult, EvaluationReport
from naturalize.page.block import Block
from naturalize.page.figure import Figure
from naturalize.page.line_plot import lines
from naturalize.page.page import Section
from naturalize.page.svg import PALETTE
from naturalize.page.table import Table
from naturalize.report.words import said

LEAST_ANSWERS = 10


def blood_section(report: EvaluationReport) -> Section | None:
    """Show how far off errors are on the maturation line, and the scores of PBC's eight folders."""
    scored = [(arm.name, arm.blood) for arm in report.arms if arm.blood is not None]
    if not scored:
        return None
    staged = Table(
        ["arm", "kappa", "accuracy, one stage off is right", "macro F1, one stage off is right"],
        [
            [name, said(b.kappa), said(b.tolerant_accuracy), said(b.tolerant_macro_f1)]
            for name, b in scored
        ],
        "Kappa: agreement along PMY-MY-MMY-BNE-SNE, quadratic weights, of images labelled and "
        "answered on that line.",
    )
    coarse = Table(
        ["arm", "accuracy, 8 classes", "macro F1, 8 classes"],
        [[name, said(b.folder_accuracy), said(b.folder_macro_f1)] for name, b in scored],
        "8 classes: the folders of PBC, where BNE and SNE are neutrophils, PMY, MY and MMY "
        "immature granulocytes.",
    )
    lead = "Neighbours on the maturation line are told apart by convention; experts often disagree."
    return Section("How far off are the errors?", (staged, coarse), lead=lead)


def certainty_section(report: EvaluationReport) -> Section:
    """Show calibration, ranking, and what accuracy is left when a person takes the rest."""
    figures = [(arm.name, arm.certainty) for arm in report.arms]
    worth = Table(
        ["arm", "calibration error", "AUROC", "risk over coverage"],
        [
            [name, said(one.ece), said(one.macro_auroc), said(one.risk_coverage)]
            for name, one in figures
        ],
        "Calibration error: the mean gap between confidence and accuracy, 15 bins; AUROC: each "
        "class against all others, the mean over classes; risk over coverage: the mean share of "
        "errors among the surest answers, over all shares (lower is better).",
    )
    kept = Table(
        ["arm", *(f"the surest {share:.0%}" for share in COVERAGES)],
        [[name, *(said(kept.accuracy) for kept in one.covered)] for name, one in figures],
        "Accuracy of the surest answers, where a person takes the rest.",
    )
    shown = report.arms[: len(PALETTE) - 1]
    curve = lines(
        {arm.name: arm.certainty.curve for arm in shown},
        "share of images answered",
        "accuracy of these answers",
        title="Accuracy of the surest answers",
    )
    body: list[Block] = [
        worth,
        kept,
        Figure(curve, "What is right among the surest answers, the more of them are taken."),
        Figure(
            _reliability(shown),
            "Where a curve lies above “as confident as right”, the model is right more often than "
            f"it says. Points stand for at least {LEAST_ANSWERS} answers.",
        ),
        _areas(report),
    ]
    return Section("What are its probabilities worth?", tuple(body))


def _reliability(arms: tuple[ArmResult, ...]) -> Markup:
    curves = {
        arm.name: [(one.confidence, one.accuracy) for one in arm.certainty.bins if _tells(one)]
        for arm in arms
    }
    curves = {name: points for name, points in curves.items() if points}
    truth = {"as confident as right": [(0.1, 0.1), (1.0, 1.0)]}
    return lines(
        curves | truth, "confidence", "share of answers that are right", title="Reliability"
    )


def _tells(one: ReliabilityBin) -> bool:
    return one.count >= LEAST_ANSWERS


def _areas(report: EvaluationReport) -> Table:
    rows = [
        [label, *(said(arm.certainty.auroc[i]) for arm in report.arms)]
        for i, label in enumerate(report.classes)
    ]
    columns = ["class", *(arm.name for arm in report.arms)]
    return Table(columns, rows, "AUROC of each class against all others.")
