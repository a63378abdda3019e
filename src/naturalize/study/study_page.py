"""The page of a study: what was asked, what came out, how sure that is, and what it took."""

from __future__ import annotations

from collections.abc import Sequence

from naturalize.evaluate.comparison import Comparison
from naturalize.page.block import Block as Part
from naturalize.page.block import Callout, Details, Prose
from naturalize.page.figure import Figure
from naturalize.page.interval_plot import interval_plot
from naturalize.page.page import Section, render_page
from naturalize.page.table import Table
from naturalize.report.certainty_sections import blood_section, certainty_section
from naturalize.report.data_sections import NO_PATIENTS
from naturalize.report.sensitivity import sensitivity_section
from naturalize.report.words import doubt, minus
from naturalize.study.curves import curves
from naturalize.study.grids import Grid, classes_grid, comparisons_grid, scores_grid, titled
from naturalize.study.results import Block, StudyResults
from naturalize.study.spec import ArmSpec
from naturalize.study.tested import MOVED, OTHER, REAL, STRANGE, SWAPPED

_EDITED = (
    " In other surroundings a test cell, as the segmenter finds it, lies where the cell of another "
    "test image lay, which gives light and neighbours. Surroundings of its own class are the "
    "control for the editing; both show the same cells."
)
_AFTER = {
    REAL: "",
    MOVED: ", cells moved, own class",
    SWAPPED: ", cells moved, another class",
    STRANGE: ", second source",
    OTHER: ", other slides",
}
HEADLINES = {"better": "Better", "worse": "Worse", "": "No difference that can be told"}
LIMITS = (
    "Labels are one laboratory's: neighbours on the maturation line are often labelled either "
    "way, which no model can undo, and which bounds every score from above.\n\n"
    "With few seeds the intervals understate how much trainings vary, by a factor near (seeds "
    "− 1) / seeds in variance. P-values of McNemar's test take images as independent. Intervals "
    "are about these images, this network and this length of training."
)


def study_page(results: StudyResults) -> str:
    """Return one self-contained HTML page."""
    spec = results.spec
    sections = [
        _answer(results),
        *([_curves(results)] if spec.curve else []),
        *(_block(block) for block in results.blocks),
        _method(results),
        Section("Limits", (Callout(NO_PATIENTS, tone="warning"), Prose(LIMITS))),
    ]
    subtitle = (
        "These images are phantoms, drawn by the computer: the page shows how a study works and "
        "is evidence of nothing about real cells."
        if results.phantoms
        else "All scores are on real images that no training, composite or choice ever looked at"
        + (", as they are or with the cell moved." if spec.swapped_surroundings else ".")
    )
    footer = "Research use only; not a medical device. Made by naturalize."
    return render_page(spec.question, sections, subtitle=subtitle, footer=footer)


def judged(comparison: Comparison, *, by_f1: bool) -> str:
    """Return ``better``, ``worse``, or nothing where the interval holds 0."""
    gain = comparison.macro_f1 if by_f1 else comparison.accuracy
    return "better" if gain.low > 0 else "worse" if gain.high < 0 else ""


def _answer(results: StudyResults) -> Section:
    body: list[Part] = []
    for block in results.blocks:
        by_f1 = not block.lacking
        for verdict, headline in HEADLINES.items():
            told = [
                _told(c, by_f1=by_f1)
                for c in block.report.comparisons
                if judged(c, by_f1=by_f1) == verdict
            ]
            if told:
                heading = f"{headline} · {titled(block)}"
                body.append(Callout("\n\n".join(told), heading=heading))
    if not body:
        body.append(Callout("No comparison is complete yet.", tone="warning"))
    lead = "Differences by paired bootstrap over groups of images and seeds, with 95% intervals."
    if len(results.spec.seeds) == 1:
        lead += " One seed: how training happened to go is not in them."
    return Section("The answer", tuple(body), lead=lead)


def _told(c: Comparison, *, by_f1: bool) -> str:
    gain, what = (c.macro_f1, "macro F1") if by_f1 else (c.accuracy, "accuracy")
    span = f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
    points = f"{100 * gain.value:+.1f} points of {what} ({span})"
    return minus(f"“{c.arm}” against “{c.baseline}”: {points}{doubt(c) if by_f1 else ''}.")


def _curves(results: StudyResults) -> Section:
    drawn = curves(results)
    if drawn is None:
        return Section("Curves", (Prose("No arm is complete yet."),))
    return Section("Curves", (Figure(drawn, "Means over seeds; intervals stand below."),))


def _block(block: Block) -> Section:
    report = block.report
    scores = scores_grid(block)
    body: list[Part] = [_table(scores, columns=range(5))]
    if block.missing:
        body.append(Callout(f"Not complete yet: {', '.join(block.missing)}.", tone="warning"))
    if block.lacking:
        words = (
            f"No tested image is of {', '.join(block.lacking)}: macro F1 counts these as 0, so "
            "accuracy and balanced accuracy are what can be read here."
        )
        body.append(Callout(words))
    if report.comparisons:
        gains = [
            (f"{c.arm} against {c.baseline}", c.accuracy if block.lacking else c.macro_f1)
            for c in report.comparisons
        ]
        x_label = f"difference in {'accuracy' if block.lacking else 'macro F1'}"
        drawn = interval_plot(
            gains, title=f"Differences, {titled(block)}", x_label=x_label, reference=0
        )
        body += [Figure(drawn), _table(comparisons_grid(block), columns=(0, 3, 4, 5, 6))]
    again = sensitivity_section(report.sensitivity)
    more = [blood_section(report), certainty_section(report)]
    body += [Details(one.title, one.body) for one in (again, *more) if one is not None]
    body.append(Details("F1 of each class", (_table(classes_grid(block)),)))
    return Section(_heading(block), tuple(body))


def _heading(block: Block) -> str:
    size = "All train images" if block.size is None else f"{block.size} real images a class"
    return size + _AFTER[block.tested]


def _table(grid: Grid, columns: Sequence[int] | None = None) -> Table:
    kept = range(len(grid.columns)) if columns is None else columns
    rows = [[_unbroken(row[i]) for i in kept] for row in grid.rows]
    return Table([grid.columns[i] for i in kept], rows, grid.title)


def _unbroken(cell: str) -> str:
    """Keep an interval on one line."""
    return minus(cell).replace(" ", "\u00a0") if cell.endswith("]") else cell


def _method(results: StudyResults) -> Section:
    spec, training = results.spec, results.spec.training
    rows = [[name, _trained(arm), _composed(arm), arm.says] for name, arm in spec.arms.items()]
    arms = Table(["arm", "settings", "composites", "why"], rows, "Arms")
    drawn = (
        f"{spec.folds} folds: every image is tested once, by a model that did not learn from it. "
        if spec.folds is not None
        else "Subsets are drawn anew for each seed, by group, from the train side; a fifth of each "
        "validates. Cells, slides and composites come from the subset alone, which each step "
        "proves. "
        if spec.sizes
        else ""
    )
    words = (
        f"{drawn}Every training is shown {results.seen:,} images, each class as often as in any "
        "other arm: a composite takes the place of a real image of its own class. "
        f"{training.model}, {training.px or 'its own'} px, batches of {training.batch}, a fixed "
        "one-cycle schedule, last weights; seeds "
        f"{', '.join(map(str, spec.seeds))}.{_EDITED if spec.swapped_surroundings else ''}"
    )
    took = f"{results.cells} trainings took {results.seconds / 60:,.0f} minutes in all."
    data = "" if results.phantoms else " --split SPLIT"
    again = f"Again: naturalize study spec.yaml{data} -o STUDY. Split {results.split_id}."
    return Section("How it was done", (Prose(words), arms, Prose(f"{took} {again}")))


def _trained(arm: ArmSpec) -> str:
    words = arm.train or f"the best on validation of {', '.join(arm.best_of)}"
    return f"{words}, and those of “{arm.beside}”" if arm.beside else words


def _composed(arm: ArmSpec) -> str:
    if arm.composed is None:
        return "none"
    one = arm.composed
    changed = "; ".join(f"{key}: {value}" for key, value in one.change.items())
    share = "" if one.share is None else f", {one.share:g} of what is shown"
    words = f"{one.dose:g} a real image{share}, {one.recipe}" + (f" ({changed})" if changed else "")
    return f"the originals of: {words}" if one.shows == "originals" else words
