"""The page that tells how well curation finds second cells and cut cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from multicell_score import TURNS
from segment_page import table


def page(precise: Mapping[str, Any], recalled: Mapping[str, Any]) -> str:
    """Return the Markdown page."""
    return _PAGE.format(
        recall=table(["", "recall", "95% interval"], _recall_rows(recalled)),
        bases=recalled["bases"],
        drawn=recalled["drawn"],
        cell=_by_cell(recalled),
        images=precise["images"],
        findings=precise["findings"],
        precision=table(
            ["", "both judges", "95% interval", "first", "second"], _precision_rows(precise)
        ),
        readings=_readings(precise["precision"]["all"]),
        same=f"{precise['agreement']['alike']:.1%}",
        kappa=precise["agreement"]["kappa"],
        wrong="; ".join(
            f"{turn}: {', '.join(f'{fault} {n}' for fault, n in faults.items()) or 'none'}"
            for turn, faults in precise["wrong"].items()
        ),
        counts=table(_COUNTS, _count_rows(precise["counts"])),
        images_here=f"{sum(row['images'] for row in precise['counts'].values()):,}",
    )


_COUNTS = [
    "class", "images here", "multicell", "fragment", "either", "share", "no centred cell",
    "paper removed", "of", "share",
]  # fmt: skip


def _recall_rows(recalled: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for how, words in (("whole", "a whole cell"), ("cut", "a cell cut by the border")):
        result = recalled[how]
        rows.append([f"**{words}**", *_share(result["recall"])])
        rows.append(["found as either kind", *_share(result["found as either kind"])])
        rows += [[f"{band} of it visible", *_share(s)] for band, s in result["visible"].items()]
    return rows


def _by_cell(recalled: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name}: "
        + ", ".join(f"{c} {s['hits']}/{s['of']}" for c, s in recalled[how]["cell"].items())
        for how, name in (("whole", "whole"), ("cut", "cut"))
    )


def _precision_rows(precise: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, *_share(group["both"]), *(_share(group[turn])[0] for turn in TURNS)]
        for name, group in precise["precision"].items()
    ]


def _count_rows(of_class: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    total = Counter[str]()
    for row in of_class.values():
        total.update(row)
    return [
        [
            label, f"{row['images']:,}", str(row["multicell"]), str(row["fragment"]),
            str(row["multicell or fragment"]),
            f"{row['multicell or fragment'] / row['images']:.1%}",
            str(row["no_centre_cell"]), str(row["paper, removed"]), f"{row['paper, images']:,}",
            f"{row['paper, removed'] / row['paper, images']:.1%}",
        ]
        for label, row in [*of_class.items(), ("all", total)]
    ]  # fmt: skip


def _readings(group: Mapping[str, Any]) -> str:
    hits, of = (sum(group[turn][name] for turn in TURNS) for name in ("hits", "of"))
    return f"{hits} of {of} ({hits / of:.3f})"


def _share(given: Mapping[str, Any]) -> list[str]:
    low, high = given["wilson95"]
    return [f"{given['hits']} of {given['of']} ({given['share']:.3f})", f"{low:.3f} to {high:.3f}"]


_PAGE = """\
# Second cells, cut cells, images without a centred cell

```
naturalize curate out/real/dataset -o out/curate/multicell
python benchmarks/multicell.py bases     # a person marks which of the drawn images show one cell
python benchmarks/multicell.py recall
python benchmarks/multicell.py flagged --seed 5   # sheets; two judges fill in what is right
python benchmarks/multicell.py score     # this page
```

All of it is about the PBC images at hand; seed 0 but for the draw of findings. Tables beside this \
page: `multicell-bases.csv` \
(what the bases show), `multicell-recall.json`, `multicell-flagged.csv` (what was drawn), \
`multicell-judged-first.csv` and `-second.csv` (what the judges said), `multicell-precision.json`, \
`multicell.csv` (every finding).

## Recall

A nucleated cell was cut out of one image and laid over a free place of another by its \
transmittance, whole or across the border. {bases} of {drawn} drawn images, judged by eye to show \
one cell, served as ground. Found means: a finding of the right kind names the place of the pasted \
cell.

{recall}

By class of the pasted cell: {cell}.

## Precision

{findings} findings in {images} images, drawn at random among all that were flagged, each ringed \
on a sheet and judged twice, in different order, by two readers who did not see each other's \
answers. `multicell` is right where the ring lies on a second whole nucleated cell, `fragment` \
where it lies on part of a nucleated cell cut by the border. Two earlier draws were judged in the \
same way: seed 0, 190 of 219 right by both, whose faults led to two rules (a cell of which the \
border takes hardly anything is whole; a part at the border as pale as red cells is none); seed 1, \
193 of 215, whose faults led to two more (where no chromatin shows, less than a fifth of a red \
cell is no part of a cell, nor what is bent like a large platelet). A fresh draw \
after that (seed 2) gave 203 of 218. These figures are of another (seed 5), since the network \
cuts cells; some images are in several draws.

{precision}

Over both readings {readings} are right. The judges agree on {same}; Cohen's kappa {kappa}. What \
is wrong, {wrong}.

## Counts beside the paper's

The paper removed images "with cells of more than one class, or with fragments of other classes", \
by hand, and gives counts only (its Table 3 less Table 4; PMY from section 3.2).

{counts}

The figures differ, and no rule of ours was bent to make them meet. The paper removed images by \
what class the other cell is of, which no count of cells follows; its data set is whole, ours \
holds {images_here} of its images; it names no file, so which images it removed cannot be checked.

## Limits

- The judges are two separate readings by a vision-language model; no haematologist has looked.
- Rules were made while looking at flagged images of this data set (`multicell-looked-at.csv`: \
nearly all that are flagged). Another data set may do worse.
- Pasted cells come from the same data set and lie on slide or over at most a tenth of red cells. \
Real neighbours may lie closer, or on top of each other.
- A platelet larger than a red cell, a smudge or a stain blot at the border may be called a \
fragment; a bare nucleus without cytoplasm counts as a cell.
"""
