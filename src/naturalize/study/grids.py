"""The tables of a study as Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from naturalize.datasets.manifest import write_table
from naturalize.evaluate.blood_scores import BloodScores
from naturalize.evaluate.certainty import Certainty
from naturalize.report.words import p_value
from naturalize.study.results import Block, StudyResults
from naturalize.study.tested import MOVED, OTHER, REAL, STRANGE, SWAPPED

_FILES = {
    REAL: "",
    MOVED: "-own-class",
    SWAPPED: "-other-class",
    STRANGE: "-second-source",
    OTHER: "-other",
}
_TEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}"}


@dataclass(frozen=True)
class Grid:
    """One table: a file ``name``, a ``title``, columns and rows of text."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown below its title."""
        lines = [f"| {' | '.join(row)} |" for row in (self.columns, *self.rows)]
        lines.insert(1, "|---" * len(self.columns) + "|")
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n"

    def latex(self) -> str:
        r"""Return the table as a LaTeX ``table`` that needs no package.

        >>> print(Grid("x", "T", ("a_b",), (("5%",),)).latex().splitlines()[4])
        a\_b \\ \hline
        """
        head, *body = (" & ".join(map(_tex, row)) + r" \\" for row in (self.columns, *self.rows))
        lines = [
            r"\begin{table}",
            rf"\caption{{{_tex(self.title)}}}",
            rf"\begin{{tabular}}{{{'l' * len(self.columns)}}}",
            r"\hline",
            head + r" \hline",
            *body,
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Return the table as CSV."""
        return write_table(self.columns, self.rows)


def grids(results: StudyResults) -> Iterator[Grid]:
    """Yield scores, comparisons, further scores and F1 of each class of every block."""
    for block in results.blocks:
        yield scores_grid(block)
        if block.report.comparisons:
            yield comparisons_grid(block)
        yield further_grid(block)
        yield classes_grid(block)


def titled(block: Block) -> str:
    """Say what a block is about."""
    size = "all train images" if block.size is None else f"{block.size} real images a class"
    return f"{size}, judged on {block.report.n:,} {block.tested}"


def scores_grid(block: Block) -> Grid:
    """Return the scores of the arms of a block, with intervals."""
    rows = tuple(
        (
            _arm(arm.name, block),
            str(arm.seeds),
            arm.scores.accuracy.said(),
            arm.scores.balanced_accuracy.said(),
            arm.scores.macro_f1.said(),
            ", ".join(f"{seed.macro_f1:.3f}" for seed in arm.per_seed),
        )
        for arm in block.report.arms
    )
    columns = ("arm", "seeds", "accuracy", "balanced accuracy", "macro F1", "of each seed")
    return Grid(_file("scores", block), f"Scores: {titled(block)}", columns, rows)


def comparisons_grid(block: Block) -> Grid:
    """Return the comparisons of a block."""
    rows = tuple(
        (
            f"{c.arm} against {c.baseline}",
            c.accuracy.said(signed=True),
            c.macro_f1.said(signed=True),
            p_value(c.p),
            p_value(c.holm_p),
            ", ".join(p_value(test.p) for test in c.mcnemar),
            ", ".join(map(p_value, c.mcnemar_holm_p)),
        )
        for c in block.report.comparisons
    )
    columns = (
        "comparison",
        "accuracy",
        "macro F1",
        "p, macro F1",
        "Holm p, macro F1",
        "McNemar p",
        "McNemar p, Holm",
    )
    return Grid(_file("comparisons", block), f"Comparisons: {titled(block)}", columns, rows)


def further_grid(block: Block) -> Grid:
    """Return how far off the errors of a block are, and what its probabilities are worth.

    Scores of the maturation line and of the eight folders are there where the classes are PBC's.
    """
    arms = block.report.arms
    blood = any(arm.blood for arm in arms)
    columns = (
        "arm",
        *(("kappa", "macro F1, one stage off is right", "accuracy, 8 classes") if blood else ()),
        *("calibration error", "AUROC", "risk over coverage"),
    )
    rows = tuple((arm.name, *_blood(arm.blood), *_worth(arm.certainty)) for arm in arms)
    return Grid(_file("further", block), f"Further scores: {titled(block)}", columns, rows)


def _blood(found: BloodScores | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return found.kappa.said(), found.tolerant_macro_f1.said(), found.folder_accuracy.said()


def _worth(found: Certainty) -> tuple[str, ...]:
    return f"{found.ece.value:.3f}", found.macro_auroc.said(), found.risk_coverage.said()


def classes_grid(block: Block) -> Grid:
    """Return F1 of each class and arm."""
    report = block.report
    rows = tuple(
        (
            label,
            str(report.arms[0].scores.per_class[i].support),
            *(arm.scores.per_class[i].f1.said() for arm in report.arms),
        )
        for i, label in enumerate(report.classes)
    )
    columns = ("class", "images", *(arm.name for arm in report.arms))
    return Grid(_file("classes", block), f"F1 of each class: {titled(block)}", columns, rows)


def _arm(name: str, block: Block) -> str:
    chosen = block.chosen.get(name)
    return f"{name} ({chosen})" if chosen else name


def _file(what: str, block: Block) -> str:
    size = "all" if block.size is None else f"n{block.size}"
    return f"{what}-{size}{_FILES[block.tested]}"


def _tex(text: str) -> str:
    return re.sub("[&%_#$~]", lambda found: _TEX[found[0]], text)
