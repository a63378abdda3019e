"""Would other assumptions lead to other conclusions? The comparisons made once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from naturalize.artefact import Artefact
from naturalize.curate.pseudo_slide import pseudo_slides
from naturalize.curate.source import second_source
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError
from naturalize.evaluate.evaluation import Sensitivity, compare_again
from naturalize.page.page import Section
from naturalize.page.table import Cell, Table
from naturalize.predictions import Predictions
from naturalize.report.words import said
from naturalize.seeds import child

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
    root: Path,
    samples: Sequence[Sample],
    curated: Artefact,
    *,
    pairs: Sequence[tuple[str, str]],
    seed: int,
    resamples: int,
) -> tuple[Sensitivity, ...]:
    """Compare ``arms`` on ``samples`` with pseudo-slides as groups, and in the main source only.

    The first is left out where the image files below ``root`` are not at hand, the second where
    ``curated`` found one source only, or where a class would be left without images.
    """
    try:
        slides = pseudo_slides(root, samples, seed=seed)
    except ImageError:
        slides = {}
    groups = {sample.id: sample.group for sample in samples}
    assumed = (
        (PSEUDO_SLIDES, samples if slides else (), slides),
        (MAIN_SOURCE, _main_source(samples, curated), groups),
    )
    return tuple(
        compare_again(
            name,
            arms,
            {sample.id: sample.label for sample in some},
            units,
            rng=child(seed, "evaluate"),
            pairs=pairs,
            resamples=resamples,
        )
        for name, some, units in assumed
        if some
    )


def _main_source(samples: Sequence[Sample], curated: Artefact) -> tuple[Sample, ...]:
    strange = second_source(curated) if curated.kind == "curated" else frozenset()
    main = tuple(sample for sample in samples if sample.id not in strange)
    whole = {sample.label for sample in main} == {sample.label for sample in samples}
    return main if whole and len(main) < len(samples) else ()


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
