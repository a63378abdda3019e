"""The paper's tables 5 to 12, ours beside them, and what the composites in the test are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from naturalize.artefact import write_whole
from naturalize.evaluate.bootstrap import Interval
from naturalize.page.block import Callout, Prose
from naturalize.page.page import Section, render_page
from naturalize.page.table import Table
from naturalize.report.words import minus
from naturalize.study.grids import Grid
from naturalize.study.inflation import Inflation
from naturalize.study.paper_results import PaperResults, PaperRow
from naturalize.study.paper_run import PaperHome
from naturalize.study.published import published

RESULTS, PAGE = "results.json", "study.html"
WHY = (
    "The paper mixes composites with all images and splits afterwards. So its test sets hold "
    "composites, and a composite shows a cell that was cut out of a real image: the very image, or "
    "another composite with the same cell, stands on the train side. The network has seen that "
    "cell and its label, and needs to remember it rather than to know it again.\n\n"
    "Besides, only some classes get composites. A pasted cell can be told by its edges; whoever "
    "sees that an image is a composite knows that it is one of these classes. The more composites "
    "of a class a test set holds, the higher its F1 climbs, whether or not real cells are told "
    "apart any better; part of that is arithmetic: the more images of a class there are, the less "
    "weigh those of other classes that are taken for it. The column “real part” has "
    "the same network on the real images of the same test set. Even these are no untouched "
    "images: composites of their own cells may be in train. Scores to believe are those "
    "of the other studies, which split first."
)


@dataclass(frozen=True)
class _Mean:
    """Scores of one network on one set, the mean over seeds."""

    rows: Sequence[PaperRow]

    def of(self, side: str, score: str) -> float:
        return sum(float(getattr(getattr(row, side), score)) for row in self.rows) / len(self.rows)

    def real(self, score: str = "accuracy") -> float:
        values = [float(getattr(row.real, score).value) for row in self.rows]
        return sum(values) / len(values)

    def f1(self, number: int) -> tuple[float, float]:
        """Return F1 of a class on the whole test side and on its real part."""
        whole = sum(row.test.per_class[number].f1 for row in self.rows) / len(self.rows)
        real = sum(row.real.per_class[number].f1.value for row in self.rows) / len(self.rows)
        return whole, real

    def ends(self, score: Callable[[Inflation], Interval]) -> tuple[float, float]:
        """Return the ends of what composites add to a score: the mean of the seeds' intervals.

        An interval of the mean itself would be narrower.
        """
        found = [score(row.inflation) for row in self.rows if row.inflation is not None]
        n = len(found)
        return sum(one.low for one in found) / n, sum(one.high for one in found) / n


def render_paper(home: PaperHome, results: PaperResults) -> None:
    """Write ``results.json``, ``study.html`` and ``tables/`` into the folder of a rerun."""
    tables = home.folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    found = list(paper_grids(results))
    for grid in found:
        write_whole(tables / f"{grid.name}.tex", grid.latex())
        write_whole(tables / f"{grid.name}.csv", grid.csv())
    write_whole(tables / "tables.md", "\n".join(grid.markdown() for grid in found))
    write_whole(home.folder / RESULTS, results.model_dump_json(indent=1) + "\n")
    write_whole(home.folder / PAGE, paper_page(results))


def paper_page(results: PaperResults) -> str:
    """Return one self-contained HTML page."""
    shown = [
        Table(grid.columns, [[minus(cell) for cell in row] for row in grid.rows], grid.title)
        for grid in paper_grids(results)
    ]
    inflated = inflation(results)
    training = results.spec.training
    how = (
        f"{results.spec.models[0]} learned from each set, shown {training.budget:,} images at "
        f"{training.px} px; the paper's figures in Tables 7 to 12 are of EfficientNetV2-B0. Seeds "
        f"{', '.join(map(str, results.spec.seeds))}; means over seeds. Paper: {published().source}."
    )
    sections = [
        Section("How much do composites in the test add?", (Callout(inflated), Prose(WHY))),
        Section("Tables, the paper's and ours", (Prose(how), *shown)),
    ]
    subtitle = (
        "Phantoms, drawn by the computer: evidence of nothing about real cells."
        if results.phantoms
        else "Composites of all images, then the split: not a fair test, and not meant as one."
    )
    return render_page(
        results.spec.question, sections, subtitle=subtitle,
        footer="Research use only; not a medical device. Made by naturalize.",
    )  # fmt: skip


def inflation(results: PaperResults) -> str:
    """Return, for each set, what the composites in its test side add to the scores, in words."""
    found = [
        f"{name}: {_inflated(mean, results.classes)}"
        for name, mean in _by_set(results).items()
        if mean.rows[0].n_synthetic
    ]
    if not found:
        return "No set with composites is done yet."
    return "\n\n".join([*found, "In brackets: 95% intervals over test images."])


def _inflated(mean: _Mean, classes: Sequence[str]) -> str:
    """Return what composites add to the scores of one set, in words."""
    first = mean.rows[0]
    share = first.n_synthetic / (first.n_synthetic + first.n_real)
    f1 = [mean.f1(number) for number in range(len(classes))]
    most = max(range(len(f1)), key=lambda i: f1[i][0] - f1[i][1])
    accuracy = mean.of("test", "accuracy"), mean.real()
    macro_f1 = mean.of("test", "macro_f1"), mean.real("macro_f1")
    told = (
        _added("accuracy", accuracy, mean.ends(lambda one: one.accuracy)),
        _added("macro F1", macro_f1, mean.ends(lambda one: one.macro_f1)),
        _added(f"most of all {classes[most]}, F1", f1[most], mean.ends(lambda one: one.f1[most])),
    )
    return f"{share:.0%} of the test set are composites: {'; '.join(told)}."


def _added(what: str, scores: tuple[float, float], ends: tuple[float, float]) -> str:
    whole, real = scores
    points, low, high = (minus(f"{100 * one:+.1f}") for one in (whole - real, *ends))
    return (
        f"{what} {whole:.3f} with them, {real:.3f} on real images ({points} points [{low}, {high}])"
    )


def paper_grids(results: PaperResults) -> Iterator[Grid]:
    """Yield Tables 5 and 6, 7 to 11 and 12, as far as their cells are done."""
    models = {
        model: _Mean(rows)
        for model in results.spec.models
        if (rows := _rows(results, results.spec.models_on, model))
    }
    if models:
        yield _models_grid(results, models)
    for name, mean in _by_set(results).items():
        if name in published().sets:
            yield _classes_grid(name, mean, results.classes)
    if results.rows:
        yield _sets_grid(results)


def _models_grid(results: PaperResults, models: dict[str, _Mean]) -> Grid:
    columns = (
        "network", "val accuracy", "test accuracy", "macro precision", "macro recall", "macro F1",
        "real part, accuracy",
    )  # fmt: skip
    rows = []
    for model, mean in models.items():
        paper = published().models.get(model)
        told = paper[1:] if paper is not None else (None,) * 5
        ours = [mean.of("val", "accuracy"), mean.of("test", "accuracy")]
        ours += [mean.of("test", f"macro_{one}") for one in ("precision", "recall", "f1")]
        beside = map(_beside, ours, told)
        rows.append((model, *beside, f"{mean.real():.3f}"))
    title = f"Tables 5 and 6: networks on {results.spec.models_on}; ours, (the paper's, difference)"
    return Grid("tables-5-6", title, columns, tuple(rows))


def _classes_grid(name: str, mean: _Mean, classes: Sequence[str]) -> Grid:
    paper = published().sets[name]
    rows = []
    for number, label in enumerate(classes):
        whole, real = mean.f1(number)
        rows.append((label, _beside(whole, paper.f1.get(label)), f"{real:.3f}"))
    title = f"Table {paper.table}: F1 of each class on {name}; ours, (the paper's, difference)"
    return Grid(f"table-{paper.table}", title, ("class", "F1", "real part, F1"), tuple(rows))


def _sets_grid(results: PaperResults) -> Grid:
    columns = ("set", "accuracy", "macro precision", "macro recall", "macro F1",
               "real part, accuracy", "real part, macro F1")  # fmt: skip
    rows = []
    for name, mean in _by_set(results).items():
        known = published().sets.get(name)
        told = known.overall if known is not None else (None,) * 4
        kinds = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
        beside = [
            _beside(mean.of("test", kind), one) for kind, one in zip(kinds, told, strict=True)
        ]
        rows.append((name, *beside, f"{mean.real():.3f}", f"{mean.real('macro_f1'):.3f}"))
    title = "Table 12: all sets; ours, (the paper's, difference)"
    return Grid("table-12", title, columns, tuple(rows))


def _by_set(results: PaperResults) -> dict[str, _Mean]:
    """Return the first network on each set that is done."""
    first = results.spec.models[0]
    found = {name: _rows(results, name, first) for name in results.spec.sets}
    return {name: _Mean(rows) for name, rows in found.items() if rows}


def _rows(results: PaperResults, set_name: str, model: str) -> list[PaperRow]:
    return [row for row in results.rows if (row.set_name, row.model) == (set_name, model)]


def _beside(ours: float, paper: float | None) -> str:
    """Write ours with the paper's and the difference: ``0.951 (0.96, -0.009)``."""
    return f"{ours:.3f}" if paper is None else f"{ours:.3f} ({paper:.2f}, {ours - paper:+.3f})"
