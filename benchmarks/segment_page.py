"""The page a person reads: tables from the figures of every step, targets beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]
STEPS = ("masks", "boxes", "judged", "phantom", "robust", "speed", "draw", "check")
NONE = "not measured"
RULE = ("both", "first")


@dataclass(frozen=True)
class Target:
    """A figure to reach: where it stands (step, then keys), and the least it should be."""

    words: str
    where: tuple[str, ...]
    least: float


TARGETS = (
    Target("mean cell IoU, hand-drawn cells", ("masks", "mean", "cell_iou", "value"), 0.93),
    Target("lowest cell IoU, hand-drawn cells", ("masks", "min", "cell_iou"), 0.70),
    Target("recall of red cells, BCCD", ("boxes", "recall", "RBC", "value"), 0.90),
    Target(
        "precision of red cells, both judges", ("judged", "objects", "both", "RBC", "value"), 0.93
    ),
    Target("central cells good, both judges", ("judged", "central", "both", "all", "value"), 0.97),
    Target("images a second of one core", ("speed", "images_per_s"), 25),
)
LEAST_OF_A_CLASS = 0.9


LIMITS = """## What this does not show

- The hand-drawn cells come from one laboratory and one kind of camera; so do BCCD and PBC.
- Changed images stand in for other scanners; they are none.
- Whoever improved the segmenter saw these images. Other ones are kept back.
- The hand-drawn outlines are one person's; how far two persons differ is not known.
- Recall on BCCD counts an annotated red cell as found by its box, not by its outline.
- The two judgements are two separate readings by a vision-language model, each told to count doubt
  as bad ([all they are told](readers.md)); no haematologist has looked. The same reader may share
  its mistakes, so the agreement says less than that of two persons. Where red cells lie over one
  another they called an outline right that follows the cell's own edge, with or without what the
  cells share.
- Readers, and draws of masks, differ more than these intervals say, most of all on BCCD's piles
  ([how much](rounds.md#halos-and-how-much-a-judgement-varies)): two states of the code are to be
  compared on the same cells by the same readers, not by two such pages."""


def page(folder: Path) -> str:
    """Return the Markdown page of the figures in ``folder``; a missing step is said to be so."""
    found = {
        step: json.loads((folder / f"{step}.json").read_text())
        for step in STEPS
        if (folder / f"{step}.json").is_file()
    }
    sections = [
        _head(found),
        _targets(found),
        *(SECTIONS[step](found[step]) for step in SECTIONS if step in found),
        LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table.

    >>> print(table(["a", "b"], [[1, 0.5]]))
    | a | b |
    |---|---|
    | 1 | 0.500 |
    """
    lines = [head, ["---"] * len(head), *rows]
    text = ["| " + " | ".join(said(value) for value in line) + " |" for line in lines]
    text[1] = text[1].replace(" ", "")
    return "\n".join(text)


def said(value: object) -> str:
    """Return a figure in words: three decimals, an interval where there is one, its count.

    >>> said({"value": 0.9, "low": 0.85, "high": 0.93, "good": 9, "n": 10})
    '0.900 [0.850, 0.930], 9 of 10'
    """
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        words = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**value)
        return words + (f", {value['good']} of {value['n']}" if "n" in value else "")
    return str(value)


def _head(found: Mapping[str, Figures]) -> str:
    states = {step: f["behaviour"] for step, f in found.items() if step != "judged"}
    lines = [
        "# How right the masks are",
        "Made by `python benchmarks/segment.py STEP -o docs/results/segment` and its step `page`; "
        "every step's figures stand in `STEP.json`. Intervals are 95%.",
    ]
    if found:
        any_step = next(iter(found.values()))
        lines.append(f"Segmenter `{any_step['segmenter']}`, parameters `{any_step['parameters']}`.")
    if len(set(states.values())) > 1:
        lines.append(
            "**Not all of it comes from the same state of the code** (digest of all masks on a few "
            f"phantoms): {', '.join(f'{step} `{state}`' for step, state in states.items())}."
        )
    return "\n\n".join(lines)


def _targets(found: Mapping[str, Figures]) -> str:
    rows: list[list[object]] = []
    for target in TARGETS:
        value = _look_up(found, target.where)
        met = NONE if value is None else "yes" if value >= target.least else "**no**"
        rows.append([target.words, target.least, NONE if value is None else value, met])
    classes = _look_up(found, ("judged", "central", "both"))
    if classes is not None:
        worst = min((c["value"], name) for name, c in classes.items() if name != "all")[1]
        words = f"{worst}: {classes[worst]['good']} of {classes[worst]['n']}"
        met = "yes" if classes[worst]["value"] >= LEAST_OF_A_CLASS else "**no**"
        rows.append(["lowest class of central cells", LEAST_OF_A_CLASS, words, met])
    return "## Targets\n\n" + table(["", "at least", "measured", "met"], rows)


def _masks(figures: Figures) -> str:
    names = {"cell": "cell", "nucleus": "nucleus"}
    kinds = {"iou": "IoU", "dice": "Dice", "bf1": "boundary F1", "area": "area over the true one"}
    rows = [
        [f"{what} {words}", figures["mean"][f"{key}_{end}"], figures["min"][f"{key}_{end}"]]
        for key, what in names.items()
        for end, words in kinds.items()
    ]
    poor = ", ".join(figures["cell_iou_under_0.70"]) or "none"
    return "\n\n".join(
        [
            "## Against cells drawn by hand",
            f"{figures['images']} CellaVision images (`wbc_masks`), one cell each; the nucleated "
            "cell that shares most pixels with the drawn one counts, another in the picture does "
            f"not. Boundaries agree within {figures['boundary_tolerance_px']} px (Csurka et al. "
            "2013). Intervals resample images.",
            table(["", "mean", "lowest"], rows),
            f"Cells under IoU .70: {poor}. Areas tell whether masks are too large or too small.",
        ]
    )


def _boxes(figures: Figures) -> str:
    recall = figures["recall"]
    rows = [[k, r["boxes"], {n: r[n] for n in ("value", "low", "high")}] for k, r in recall.items()]
    return "\n\n".join(
        [
            "## Against boxes",
            f"{figures['images']} fields of BCCD; a box is found where a mask of its kind has it "
            f"for itself at IoU {figures['match_iou']} or more (as many pairs as there can be). "
            "Intervals resample fields. The annotators left many red cells without a box, so "
            "precision against boxes would mean nothing and is not told.",
            table(["kind", "boxes", "recall"], rows),
        ]
    )


def _judged(figures: Figures) -> str:
    parts = ["## Judged by eye", "A mask is good if both judges say so; Wilson intervals."]
    titles = {
        "objects": "Red cells and platelets, drawn at random from PBC (test images) and BCCD",
        "central": "The central cell of PBC test images, 20 of each class",
    }
    for name, title in titles.items():
        if name not in figures:
            continue
        some = figures[name]
        rules = [rule for rule in RULE if rule in some]
        rows = [[group, *(some[rule][group] for rule in rules)] for group in some[rules[0]]]
        parts += [f"### {title}", table(["", *(f"good: {r}" for r in rules)], rows)]
        if "agreement" in some:
            a = some["agreement"]
            kappa = "has no value" if a["kappa"] is None else f"{a['kappa']:.2f}"
            parts.append(
                f"The judges agree on {a['alike']:.1%} of {a['n']}; Cohen's kappa {kappa}."
            )
        faults = (f"{j}: {_counted(counts)}" for j, counts in some["faults"].items())
        parts.append(f"Faults named by judge. {'; '.join(faults)}.")
    if "controls" in figures:
        parts += _controls(figures["controls"])
    return "\n\n".join(parts)


def _controls(figures: Figures) -> list[str]:
    damaged = figures["damaged_iou"]
    rows = [
        [group, *(figures[rule][group] for rule in ("both", "first", "second"))]
        for group in figures["both"]
    ]
    return [
        "### How strict the judges are",
        "The same judges, not told, on the hand-drawn cells of `wbc_masks`: half of the outlines "
        f"as they were drawn, half with a piece missing or too much (IoU {min(damaged):.2f} to "
        f"{max(damaged):.2f} with the drawn one). A share of good masks above is to be read "
        "against the share of right outlines that they call good.",
        table(["", "good: both", "good: first", "good: second"], rows),
    ]


def _phantom(figures: Figures) -> str:
    rows = [[n.replace("_", " "), v, figures["min"][n]] for n, v in figures["mean"].items()]
    counts = [[k, figures["recall"][k], figures["precision"][k]] for k in figures["recall"]]
    return "\n\n".join(
        [
            "## On phantoms",
            f"{figures['images']} drawn images (seed {figures['seed']}), masks exact; objects at "
            "the border are not counted. A missed object has IoU 0. This finds mistakes of the "
            "code and says little about slides.",
            table(["", "mean", "lowest"], rows),
            table(["kind", "recall", "precision"], counts),
        ]
    )


def _robust(figures: Figures) -> str:
    columns = {
        "cell_iou": "cell IoU",
        "cell_iou_fall": "fall",
        "cell_iou_min": "lowest",
        "cells_poor": "under .70",
        "nucleus_iou": "nucleus IoU",
        "bccd_rbc_recall": "RBC recall",
        "bccd_rbc_recall_fall": "fall",
        "phantom_rbc_recall": "phantom RBC recall",
        "phantom_rbc_precision": "precision",
    }
    rows = [
        [name, *(row.get(key, "") for key in columns)]
        for name, row in figures["variations"].items()
    ]
    n = figures["images"]
    return "\n\n".join(
        [
            "## Under changes of the image",
            f"The same {n['cells']} hand-drawn cells, {n['fields']} of BCCD's fields and "
            f"{n['phantoms']} phantoms, each changed as another scanner, stain or operator might "
            "(`benchmarks/segment_variations.py`); the truth is magnified along.",
            table(["", *columns.values()], rows),
        ]
    )


def _speed(figures: Figures) -> str:
    beside = (
        " Timed in turn with the code before it, on the same images, it takes "
        "{time_to_that_beside} of the time (median of rounds {time_to_that_beside_rounds}; "
        "{images_per_s_beside} images a second): the ratio holds where other work slows both."
    )
    words = (
        "## Speed\n\n{images_per_s} images a second of one core ({processor}; {images} PBC images "
        "of {height_px} x {width_px}, from the file's bytes to masks; processor time, best of "
        "rounds {images_per_s_rounds}; reading and decoding take {read_and_decode_ms} ms of it)."
    )
    text = words + beside if "time_to_that_beside" in figures else words
    return text.format(**figures)


def _check(figures: Figures) -> str:
    rows = [
        [name, *(len(figures[name][state]) for state in ("same", "moved", "changed"))]
        for name in ("objects", "central")
    ]
    return "\n\n".join(
        [
            "## Do the judgements still hold?",
            "How many of the judged masks the present code gives again, pixel for pixel, hardly "
            "moved (another mask whose box overlaps by .9) or not at all:",
            table(["", "same", "moved", "changed"], rows),
        ]
    )


SECTIONS = {
    "masks": _masks,
    "boxes": _boxes,
    "judged": _judged,
    "phantom": _phantom,
    "robust": _robust,
    "speed": _speed,
    "check": _check,
}


def _look_up(found: Mapping[str, Any], where: tuple[str, ...]) -> Any:
    value: Any = found
    for key in where:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {n}" for word, n in sorted(counts.items(), key=lambda c: -c[1]))
