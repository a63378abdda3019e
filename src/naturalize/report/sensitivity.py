"""Would other assumptions lead to other conclusions? The comparisons made once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from naturalize.artefact import Artefact
from naturalize.curate.finding import TABLE as FINDINGS
from naturalize.curate.pseudo_slide import pseudo_slides
from naturalize.datasets.manifest import read_table
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError
from naturalize.evaluate.evaluation import Sensitivity, compare_again
from naturalize.page.page import Section
from naturalize.page.table import Cell, Table
from naturalize.predictions import Predictions
from naturalize.report.words import said
from naturalize.seeds import child
from naturalize.split.split import RealSplit

PSEUDO_SLIDES = "pseudo-slides"
MAIN_SOURCE = "main source only"
MEANINGS = {
    PSEUDO_SLIDES: "the bootstrap draws clusters of like light and stain, a guess at slides, "
    "instead of groups: intervals are wider where images of one slide err together",
    MAIN_SOURCE: "without the test images of a second acquisition source, whose background gives "
    "some classes away",
}


def sensitivities(
    arms: Mapping[str, Sequence[Predictions]],
    split: RealSplit,
    curated: Artefact,
    *,
    pairs: Sequence[tuple[str, str]],
    seed: int,
    resamples: int,
) -> tuple[Sensitivity, ...]:
    """Compare ``arms`` with pseudo-slides as groups, and without the second acquisition source.

    The first is left out where the image files are not at hand, the second where there is one
    source only, or where a class would be left without images.
    """
    found = []
    try:
        slides = pseudo_slides(split.root, split.test, seed=seed)
    except ImageError:
        slides = {}
    main = _main_source(split, curated)
    groups = {sample.id: sample.group for sample in split.test}
    for name, samples, units in (
        (PSEUDO_SLIDES, split.test if slides else (), slides),
        (MAIN_SOURCE, main, groups),
    ):
        if samples:
            truth = {sample.id: sample.label for sample in samples}
            rng = child(seed, "evaluate")
            again = compare_again(
                name, arms, truth, units, rng=rng, pairs=pairs, resamples=resamples
            )
            found.append(again)
    return tuple(found)


def second_source(curated: Artefact) -> frozenset[str]:
    """Return the ids of images that curation found to be of another acquisition source."""
    if curated.kind != "curated":
        return frozenset()
    rows = read_table(curated.path / FINDINGS)
    return frozenset(row["path"] for row in rows if row["kind"] == "source")


def _main_source(split: RealSplit, curated: Artefact) -> tuple[Sample, ...]:
    strange = second_source(curated)
    main = tuple(sample for sample in split.test if sample.id not in strange)
    whole = {sample.label for sample in main} == {sample.label for sample in split.test}
    return main if whole and len(main) < len(split.test) else ()


def sensitivity_section(found: Sequence[Sensitivity]) -> Section | None:
    """Show each comparison under every other assumption."""
    if not found:
        return None
    rows: list[list[Cell]] = [
        [
            again.name,
            again.n,
            again.n_groups,
            f"{c.arm} against {c.baseline}",
            said(c.macro_f1, signed=True),
        ]
        for again in found
        for c in again.comparisons
    ] or [
        [again.name, again.n, again.n_groups, name, said(f1)]
        for again in found
        for name, f1 in again.macro_f1.items()
    ]
    meanings = "; ".join(f"{again.name}: {MEANINGS[again.name]}" for again in found)
    columns = ["assumption", "test images", "groups", "comparison", "macro F1"]
    table = Table(columns, rows, f"{meanings}.", numeric=[1, 2])
    return Section("Would other assumptions change this?", (table,))
