"""What is in PBC: the page docs/what-is-in-pbc.md, and the same page with pictures.

    python benchmarks/pbc_page.py
    python benchmarks/pbc_page.py --data PBC_dataset_normal_DIB -o out/pbc

The first command needs no data: it reads the index of all 17,093 files that the package ships and
the tables of docs/results/curate, and writes the page and its charts. The second one looks at each
file below ``--data`` first (see ``pbc_files.py``) and writes ``what-is-in-pbc.html``, with
pictures, to ``-o`` as well. No picture goes into docs.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from naturalize import images
from naturalize.datasets.manifest import read_table
from naturalize.datasets.public_index import IndexEntry, load_index
from naturalize.images import Rgb
from naturalize.page.block import Block, Details, Prose
from naturalize.page.contact_sheet import ContactSheet, Tile
from naturalize.page.figure import Figure
from naturalize.page.grouped_bars import grouped_bars
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table
from pbc_files import Files, Kind, measure, prefix, save

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS / "results" / "curate"
MOST_ROWS = 20  # longer tables are folded away
_PAIR_PX = 370  # two to a row
_MOST_SHOWN = 24
TITLE = "What is in PBC"
SUBTITLE = (
    "A reading of the files of Acevedo et al. 2020 (Mendeley Data 10.17632/snkd93bnjr.1, CC BY 4.0)"
)


@dataclass(frozen=True)
class Chart:
    """A drawing, the file it goes to, and its caption."""

    name: str
    svg: Markup
    caption: str


@dataclass(frozen=True)
class Part:
    """A section of the page; ``shown`` are files to show side by side where there are pictures."""

    title: str
    text: str
    blocks: tuple[Table | Chart, ...] = ()
    shown: tuple[tuple[str, ...], ...] = ()


def main() -> None:
    """Write the page, with pictures where the data is at hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder with basophil, eosinophil, ...")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/pbc"))
    given = parser.parse_args()
    if given.data is not None:
        save(measure(given.data))
    index, files = load_index("pbc_index.csv.xz"), Files.load()
    same_field = read_table(RESULTS / "same_field.csv")
    cells = json.loads((RESULTS / "multicell-precision.json").read_text())
    found = read_table(RESULTS / "multicell.csv")
    parts = what_is_in_pbc(index, files, same_field, cells, found)
    write_markdown(parts)
    if given.data is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        page = given.out / "what-is-in-pbc.html"
        page.write_text(html(parts, given.data), encoding="utf-8")
        print(page)


def what_is_in_pbc(
    index: Sequence[IndexEntry],
    files: Files,
    same_field: list[dict[str, str]],
    cells: Mapping[str, Any],
    found: list[dict[str, str]],
) -> list[Part]:
    """Put together all sections."""
    return [
        _seen(index, files),
        _copies(index),
        _same_field(same_field),
        _two_classes(same_field),
        _cells(cells, found),
        _sources(files),
        _names(index, files),
    ]


def _seen(index: Sequence[IndexEntry], files: Files) -> Part:
    public = Counter(prefix(entry.path) for entry in index)
    seen = files.count()
    names = [name for name in public if name != ".DS"]
    chart = grouped_bars(
        names,
        {"public": [public[n] for n in names], "looked at here": [seen[n] for n in names]},
        title="Files by prefix",
        x_label="files",
    )
    text = (
        f"The public data set holds {len(index):,} files in eight folders; prefixes of file names "
        f"give eleven classes. Names and digests of all {len(index):,} are known (the index the "
        f"package ships), so copies and names are counted over all. Pixels were looked at in "
        f"{_looked_at(files):,} files: most of the scarce classes, fewer of the common ones. What "
        "follows says which of the two it rests on."
    )
    return Part("What was looked at", text, (Chart("files", chart, "Files by prefix."),))


def _copies(index: Sequence[IndexEntry]) -> Part:
    same: defaultdict[str, list[str]] = defaultdict(list)
    for entry in index:
        same[entry.sha256].append(entry.path)
    pairs = sorted(paths for paths in same.values() if len(paths) > 1)
    two = [paths for paths in pairs if prefix(paths[0]) != prefix(paths[1])]
    text = (
        f"All {len(index):,} files. {len(pairs)} images are stored twice, under two names but with "
        f"the same bytes. One of them is filed under two classes: {' and '.join(two[0])}. "
        "No picture among the files looked at was stored again in another encoding, size or "
        "orientation."
    )
    rows: list[list[Cell]] = [list(pair) for pair in pairs]
    return Part(
        "The same bytes twice",
        text,
        (Table(["file", "the same bytes as"], rows),),
        tuple(tuple(pair) for pair in pairs),
    )


def _same_field(rows: list[dict[str, str]]) -> Part:
    ordered = sorted(rows, key=_distance)
    pairs = [(row["path"], row["other_path"]) for row in ordered]
    counts = Counter(_classes(pair) for pair in pairs)
    names = [name for name, _ in counts.most_common()]
    chart = grouped_bars(
        names, {"pairs": [counts[name] for name in names]}, title="Pairs of one slide region"
    )
    table = Table(
        ["file", "other file", "rows", "columns", "shared"],
        [
            [r["path"], r["other_path"], r["rows"], r["columns"], f"{float(r['overlap']):.0%}"]
            for r in ordered
        ],
        "By distance: the shift in pixels, and the share of the area in both.",
        numeric=(2, 3, 4),
    )
    text = (
        f"Files looked at: {len(rows)} pairs show overlapping parts of one slide region: crops of "
        "one photograph, shifted. Each pair was looked at. Neighbouring cells were centred in "
        "turn, so most pairs show two cells, each in the middle of one file; the nearest pair "
        f"(shifted by {_distance(ordered[0]):.0f} pixels) shows one cell twice. Hashes of whole "
        "images do not find them. A split at random parts about a third of them, which puts "
        "pixels of training images into the test set. More are to be expected in the files not "
        "looked at."
    )
    caption = "Pairs of one slide region, by the classes of the two files."
    return Part(
        "One slide region in two files",
        text,
        (Chart("same-field", chart, caption), table),
        tuple(pairs),
    )


def _two_classes(rows: list[dict[str, str]]) -> Part:
    pairs = [(r["path"], r["other_path"]) for r in sorted(rows, key=_distance)]
    mixed = [pair for pair in pairs if prefix(pair[0]) != prefix(pair[1])]
    text = (
        f"Besides the one image with two labels, {len(mixed)} of the {len(pairs)} pairs of one "
        "slide region are filed under two classes. In the seven nearest of them both cells stand, "
        "whole or in part, in both files, and each file is filed under the cell at its centre: not "
        "a contradiction, but files with two cells and one label. A model that does not look at "
        "the centre alone sees the same picture under two names."
    )
    table = Table(["file", "other file"], [list(pair) for pair in mixed])
    return Part("One picture under two classes", text, (table,), tuple(mixed))


def _cells(cells: Mapping[str, Any], found: list[dict[str, str]]) -> Part:
    of_class = cells["counts"]
    per_cent = {
        "a second or a cut cell, found here": [
            round(100 * row["multicell or fragment"] / row["images"], 1)
            for row in of_class.values()
        ],
        "removed by the Naturalize paper": [
            round(100 * row["paper, removed"] / row["paper, images"], 1)
            for row in of_class.values()
        ],
    }
    chart = grouped_bars(
        list(of_class),
        per_cent,
        title="Images with more than one nucleated cell",
        x_label="per cent",
    )
    both = cells["precision"]["all"]["both"]
    kinds = Counter(row["kind"] for row in found)
    total = sum(row["images"] for row in of_class.values())
    either = sum(row["multicell or fragment"] for row in of_class.values())
    text = (
        f"Files looked at, {total:,} with a class: {either} show a nucleated cell besides the one "
        f"they are filed under, {kinds['multicell']} a whole one, {kinds['fragment']} one cut by "
        f"the border (some both). They were found by naturalize curate; of {both['of']} such "
        f"findings drawn at random two judges, both, call {both['share']:.1%} right. "
        f"{kinds['no_centre_cell']} images have no cell of their class's kind at their centre. The "
        "Naturalize paper (2023) removed images by hand; its counts do not follow from the number "
        "of cells (PMY: 29% removed), and it names no file."
    )
    rows: list[list[Cell]] = [[r["path"], r["kind"].replace("_", " "), r["reason"]] for r in found]
    caption = "Share of images with a second or a cut nucleated cell, by class."
    second = [r["path"] for r in found if r["kind"] == "multicell"][:_MOST_SHOWN]
    return Part(
        "More than one nucleated cell",
        text,
        (Chart("cells", chart, caption), Table(["file", "finding", "what"], rows)),
        tuple((path,) for path in second),
    )


def _sources(files: Files) -> Part:
    everything, other = files.count(), files.count(main=False)
    names = list(everything)
    chart = grouped_bars(
        names,
        {"of the second source": [100 * other[n] / everything[n] for n in names]},
        title="Share of files from the second source",
        x_label="per cent of the files looked at",
    )
    main, second = ([kind for kind in files.kinds if kind.main == which] for which in (True, False))
    rows: list[list[Cell]] = [
        ["files looked at", sum(files.count(main=True).values()), sum(other.values())],
    ]
    rows += [[words, _values(main, name), _values(second, name)] for name, words in _PROPERTIES]
    rows += [
        [words, *("/".join(map(str, files.slide[s][i])) for s in ("main", "second"))]
        for i, words in enumerate(_LEVELS)
    ]
    caption = "What tells the two sources apart, with the number of files where they differ."
    table = Table(["", "main source", "second source"], rows, caption, numeric=(1, 2))
    held = [n for n in names if 0 < other[n] < everything[n]]
    whole = [n for n in names if other[n] == everything[n]]
    none = [n for n in names if not other[n]]
    text = (
        f"Files looked at: {sum(other.values())} of {sum(everything.values()):,} come from another "
        "camera or another export. Size, chroma sampling, JPEG quality, the remark of the program "
        "that wrote the file, and the colour of the bare slide all change together. "
        f"Some images of {', '.join(held)} are such; all of {', '.join(whole)}; none of "
        f"{', '.join(none)}. So the size of a file or the tint of its background rules out most "
        "classes, without a look at the cell. Results should be told with and without these images."
    )
    shares = Chart("sources", chart, "Share of each prefix that comes from the second source.")
    shown = tuple((files.examples[f"{n} main"], files.examples[f"{n} second"]) for n in held)
    return Part("Two acquisition sources", text, (shares, table), shown)


_PROPERTIES = (
    ("size", "width x height, px"),
    ("chroma", "chroma sampling"),
    ("quality", "JPEG quality (nearest table of libjpeg)"),
    ("remark", "remark in the file"),
)
_LEVELS = (
    "bare slide, red/green/blue: 5th percentile",
    "bare slide: median",
    "bare slide: 95th percentile",
)


def _names(index: Sequence[IndexEntry], files: Files) -> Part:
    public = Counter(prefix(entry.path) for entry in index)
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    long = []
    for entry in index:
        number = re.search(r"_(\d+)\.", entry.path)
        if number:
            numbers[number[1]].append(entry.path)
            long += [entry.path] if len(number[1]) > 6 else []
    shared = sum(math.comb(len(paths), 2) for paths in numbers.values())
    total = sum(public.values())
    chance = (total**2 - sum(n * n for n in public.values())) / 2 / 1e6
    (bad,) = files.not_images
    text = (
        f"All {len(index):,} files. {bad} is no image but a folder record of macOS (its bytes "
        "hold Bud1), renamed like one; without it there are 17,092, the number the data paper "
        f"gives. {public['IG']} files named IG_ and {public['NEUTROPHIL']} named NEUTROPHIL_ carry "
        "no sub-class and cannot be used for eleven classes; those looked at all come from the "
        "second source. Files of class PLT are named PLATELET_.\n\n"
        "Numbers in the names look drawn at random and say nothing of patient, slide or time: "
        f"{shared} pairs of files share a number, and chance gives {chance:.0f} for numbers below "
        f"a million. {len(long)} files have longer numbers. No file names a patient or a slide, so "
        "no split of this data can keep patients apart.\n\n"
        f"Of the {_looked_at(files):,} files looked at, all others hold what their name says: JPEG."
    )
    table = Table(["files with numbers above 999,999"], [[path] for path in sorted(long)])
    return Part("Names and what they hide", text, (table,))


def _looked_at(files: Files) -> int:
    return sum(files.count().values()) + len(files.not_images)


def _values(kinds: Sequence[Kind], name: str) -> str:
    counts: Counter[str] = Counter()
    for kind in kinds:
        counts[getattr(kind, name) or "none"] += kind.files
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({count:,})" for value, count in counts.most_common())


def _classes(pair: Sequence[str]) -> str:
    one, other = sorted(map(prefix, pair))
    return one if one == other else f"{one} and {other}"


def _distance(row: dict[str, str]) -> float:
    return math.hypot(int(row["rows"]), int(row["columns"]))


def write_markdown(parts: Sequence[Part]) -> None:
    """Write the page and its charts below docs."""
    charts = DOCS / "images" / "pbc"
    charts.mkdir(parents=True, exist_ok=True)
    lines = [f"# {TITLE}", "", f"{SUBTITLE}.", "", *_CONTENTS.splitlines(), ""]
    for part in parts:
        lines += [f"## {part.title}", "", part.text, ""]
        for block in part.blocks:
            if isinstance(block, Chart):
                (charts / f"{block.name}.svg").write_text(_standalone(block.svg))
                lines += [f"![{block.caption}](images/pbc/{block.name}.svg)", ""]
            else:
                lines += [*_markdown_table(block), ""]
    lines += _HOW.splitlines()
    (DOCS / "what-is-in-pbc.md").write_text("\n".join(lines) + "\n")


_CONTENTS = """\
Every figure here is made by a command from files anyone can download; the last section names it. \
No pixel of the data is shown; one command makes the same page with pictures for whoever has it."""
_HOW = """\
## How to make this page again

```
python benchmarks/pbc_page.py                                           # from the tables kept here
python benchmarks/pbc_page.py --data PBC_dataset_normal_DIB -o out/pbc  # look again, with pictures
```

The second command writes `out/pbc/what-is-in-pbc.html`. The tables it reads:

- the index of all 17,093 files, which the package ships;
- [`pbc_files.json`](results/curate/pbc_files.json), made by `benchmarks/pbc_files.py`;
- [`same_field.csv`](results/curate/same_field.csv), made by `naturalize curate` and
  `benchmarks/curate.py pairs`; [how well it finds them](results/curate/README.md);
- [`multicell.csv`](results/curate/multicell.csv), made by `naturalize curate` and
  `benchmarks/multicell.py`; [how right it is](results/curate/multicell.md).

To decide image by image what to do about it: `naturalize curate DATASET -o CURATED`, then open \
`CURATED/curation.html`."""


def _markdown_table(table: Table) -> list[str]:
    marks = ["---:" if i in table.numeric else "---" for i in range(len(table.columns))]
    rows = [table.columns, marks, *([_cell(cell) for cell in row] for row in table.rows)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if len(table.rows) > MOST_ROWS:
        title = f"<details><summary>{_all(table)}</summary>"
        lines = [title, "", *lines, "", "</details>"]
    return [*([table.caption, ""] if table.caption else []), *lines]


def _all(table: Table) -> str:
    return f"All {len(table.rows)}, by name"


def _cell(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _standalone(svg: Markup) -> str:
    """Return a drawing that is readable outside a page: its own face, on white."""
    return (
        str(svg).replace('style="', 'font-family="sans-serif" style="background: #fff; ', 1) + "\n"
    )


def html(parts: Sequence[Part], data: Path) -> str:
    """Return the page with pictures."""
    sections = []
    for part in parts:
        blocks: list[Block] = [Prose(part.text)]
        for block in part.blocks:
            if isinstance(block, Chart):
                blocks.append(Figure(block.svg, block.caption))
            elif len(block.rows) > MOST_ROWS:
                blocks.append(Details(_all(block), (block,)))
            else:
                blocks.append(block)
        tiles = [
            Tile(_beside([images.read(data / name) for name in names]), " and ".join(names))
            for names in part.shown
            if all((data / name).is_file() for name in names)
        ]
        if tiles:
            blocks.append(ContactSheet(tiles, tile_px=_PAIR_PX))
        sections.append(Section(part.title, tuple(blocks)))
    footer = "Pictures: Acevedo et al. 2020, CC BY 4.0. Made by naturalize."
    return render_page(TITLE, sections, subtitle=SUBTITLE, footer=footer)


def _beside(pictures: Sequence[Rgb]) -> Rgb:
    """Return pictures side by side on white."""
    height = max(len(picture) for picture in pictures)
    width = sum(picture.shape[1] + 8 for picture in pictures) - 8
    canvas = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for picture in pictures:
        canvas[: len(picture), left : left + picture.shape[1]] = picture
        left += picture.shape[1] + 8
    return canvas


if __name__ == "__main__":
    main()
