"""How well curation finds second nucleated cells and cells cut by the border.

    naturalize curate out/real/dataset -o out/curate/multicell
    python benchmarks/multicell.py bases    # draws images; a person marks those that show one cell
    python benchmarks/multicell.py recall   # pastes cells into those and counts what is found
    python benchmarks/multicell.py flagged  # draws flagged images; two judges look at them
    python benchmarks/multicell.py score    # precision, agreement, counts beside the paper's, page

Sheets of real images go to ``--sheets``, which git ignores; names and judgements to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from curate import share
from multicell_page import page
from multicell_paste import Pasted, paste, subject
from multicell_score import judged_rows, score, write_found
from naturalize import images, seeds
from naturalize.artefact import open_artefact
from naturalize.curate.cells_seen import Seen, SeenKind, see_cells
from naturalize.curate.finding import Finding
from naturalize.curate.fragment import find_fragments
from naturalize.curate.multicell import find_multicell
from naturalize.datasets.manifest import Manifest, read_sample, read_table, write_table
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.segment import Smear

Found = dict[str, dict[str, Finding]]

BASES, FLAGGED, RECALL, SCORE = (
    f"multicell-{name}" for name in ("bases.csv", "flagged.csv", "recall.json", "precision.json")
)
LOOKED_AT = "multicell-looked-at.csv"
"""Images that were looked at while the rules were made; they are judged last and told apart."""
BANDS = (0.1, 0.2, 0.35, 0.6, 0.9)
PER_CLASS = {"whole": 14, "cut": 26}
MOST_USES = 2
CHROMATIN = {"WBC": 0.44, "part": 0.29, "PLT": 0.0}
"""What ``with_chromatin`` asks of cells among PBC's images: 0.45 and 0.3 of 0.97."""
COLUMNS, ROWS, TILE_PX = 8, 5, 230


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["bases", "recall", "flagged", "score"])
    parser.add_argument("--dataset", type=Path, default=Path("out/real/dataset"))
    parser.add_argument("--curated", type=Path, default=Path("out/curate/multicell"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/curate"))
    parser.add_argument("--sheets", type=Path, default=Path("out/curate/multicell-sheets"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    manifest = Manifest.load(open_artefact(given.dataset, "dataset"))
    rng = seeds.child(given.seed, f"multicell {given.what}")
    if given.what == "bases":
        draw_bases(manifest, given.out, given.sheets, rng)
    elif given.what == "recall":
        done = recall(manifest, read_table(given.out / BASES), given.sheets, rng)
        (given.out / RECALL).write_text(json.dumps(done, indent=1) + "\n")
    elif given.what == "flagged":
        draw_flagged(manifest, found_in(given.curated), given.out, given.sheets, rng)
    else:
        found = found_in(given.curated)
        judged = judged_rows(read_table(given.out / FLAGGED), given.out)
        result = score(manifest, found, judged)
        (given.out / SCORE).write_text(json.dumps(result, indent=1) + "\n")
        write_found(given.out / "multicell.csv", found)
        recalled = json.loads((given.out / RECALL).read_text())
        (given.out / "multicell.md").write_text(page(result, recalled))
        print(json.dumps(result["precision"]))


def draw_bases(
    manifest: Manifest, out: Path, sheets: Path, rng: np.random.Generator, *, per_class: int = 32
) -> None:
    """Draw images of each class and lay them out to be judged."""
    chosen = [
        members[i]
        for members in by_class(manifest.samples).values()
        for i in rng.choice(len(members), per_class, replace=False)
    ]
    tiles = [(str(n), read_sample(manifest.root, sample)) for n, sample in enumerate(chosen)]
    write_sheets(tiles, sheets, "bases")
    rows = ((n, sample.id, sample.label, "") for n, sample in enumerate(chosen))
    (out / BASES).write_text(write_table(["number", "path", "label", "shows"], rows))


def recall(
    manifest: Manifest, judged: Sequence[dict[str, str]], sheets: Path, rng: np.random.Generator
) -> dict[str, object]:
    """Paste a cell into images that show one, whole or across the border, and count those found."""
    samples = {sample.id: sample for sample in manifest.samples}
    bases = [samples[row["path"]] for row in judged if row["shows"] == "one"]
    donors = by_class(manifest.samples)
    result: dict[str, object] = {"bases": len(bases), "drawn": len(judged)}
    for how, count in PER_CLASS.items():
        rows, tiles = [], []
        left = {base.id: MOST_USES for base in bases}
        for label in sorted(donors.keys() - {"PLT"}):
            for _ in range(count):
                unused = [base for base in bases if left[base.id]]
                row, made = trial(manifest.root, unused, donors[label], how, rng)
                left[str(row["base"])] -= 1
                if not row["found"]:
                    (sheets / f"missed-{how}-{len(rows)}.png").write_bytes(
                        images.encode_png(made.image)
                    )
                rows.append(row)
                tiles.append((f"{len(tiles)} {label} {made.visible:.2f}", made.image))
        write_sheets(tiles, sheets, f"recall-{how}")
        result[how] = summary(rows)
    return result


def trial(
    root: Path,
    bases: Sequence[Sample],
    donors: Sequence[Sample],
    how: str,
    rng: np.random.Generator,
) -> tuple[dict[str, object], Pasted]:
    """Paste one cell of ``donors`` into one of ``bases`` and say what curation finds there."""
    visible = 1.0 if how == "whole" else float(rng.uniform(BANDS[0], BANDS[-1]))
    while True:
        donor = donors[rng.integers(len(donors))]
        cutout = subject(root, donor)
        if cutout is None:
            continue
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        for _ in range(12):
            base = bases[rng.integers(len(bases))]
            if base.id == donor.id:
                continue
            made = paste(read_sample(root, base), cutout, visible, (turns, flip), rng)
            if made is not None:
                kinds = found(base, see_cells(made.image, Smear()), made.where)
                row = {
                    "base": base.id, "class": base.label, "donor": donor.id, "cell": donor.label,
                    "visible": round(made.visible, 3), "found": sorted(kinds),
                }  # fmt: skip
                return row, made


def found(base: Sample, seen: Seen, where: NDArray[np.bool_]) -> set[str]:
    """Return the kinds of finding that name the pasted cell, by its place."""
    usual: dict[str, SeenKind] = {base.label: "PLT" if base.label == "PLT" else "WBC"}
    dark = (tuple(c for c in seen if c.darkness >= CHROMATIN[c.kind]),)
    findings = [*find_multicell([base], dark, usual), *find_fragments([base], dark, usual)]
    near = cv2.dilate(where.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return {f.kind for f in findings if any(near[row, column] for row, column in places(f.reason))}


def places(reason: str) -> list[tuple[int, int]]:
    """Return the places a finding's reason names."""
    return [(int(r), int(c)) for r, c in re.findall(r"row (\d+), column (\d+)", reason)]


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """Count what was found, by share visible and by class of the pasted cell."""
    wanted = "multicell" if all(row["visible"] == 1 for row in rows) else "fragment"

    def hits(some: Iterable[dict[str, object]]) -> dict[str, object]:
        told = [wanted in str(row["found"]) for row in some]
        return share(sum(told), len(told))

    bands = {
        f"{low:.0%} to {high:.0%}": hits(r for r in rows if low <= float(str(r["visible"])) < high)
        for low, high in pairwise(BANDS)
        if wanted == "fragment"
    }
    cells = sorted({str(row["cell"]) for row in rows})
    either = share(sum(bool(row["found"]) for row in rows), len(rows))
    of_class = {cell: hits(r for r in rows if r["cell"] == cell) for cell in cells}
    whole = {"recall": hits(rows), "found as either kind": either}
    return {**whole, "visible": bands, "cell": of_class, "images": rows}


def found_in(curated: Path) -> Found:
    """Return the findings about cells, by image and kind."""
    rows = read_table(curated / "findings.csv")
    found: Found = defaultdict(dict)
    for row in rows:
        if row["kind"] in ("multicell", "fragment", "no_centre_cell"):
            found[row["path"]][row["kind"]] = Finding.model_validate(row)
    return found


def draw_flagged(
    manifest: Manifest,
    found: Found,
    out: Path,
    sheets: Path,
    rng: np.random.Generator,
    *,
    count: int = 210,
) -> None:
    """Draw flagged images and lay them out twice, in different order, with the cells ringed.

    Images nobody looked at while the rules were made come first.
    """
    looked_at = {row["path"] for row in read_table(out / LOOKED_AT)}
    samples = {sample.id: sample for sample in manifest.samples}
    flagged = sorted(path for path, kinds in found.items() if kinds.keys() - {"no_centre_cell"})
    shuffled = [flagged[i] for i in rng.permutation(len(flagged))]
    new_first = sorted(shuffled, key=lambda path: path in looked_at)[:count]
    chosen = [new_first[i] for i in rng.permutation(len(new_first))]
    order = rng.permutation(len(chosen))
    for name, sequence in (("first", range(len(chosen))), ("second", order.tolist())):
        tiles = [
            (str(n), ringed(read_sample(manifest.root, samples[chosen[i]]), found[chosen[i]]))
            for n, i in enumerate(sequence)
        ]
        write_sheets(tiles, sheets, name)
    back = np.argsort(order)
    rows = [
        (n, int(back[n]), path, samples[path].label, kind, path not in looked_at)
        for n, path in enumerate(chosen)
        for kind in found[path]
        if kind != "no_centre_cell"
    ]
    columns = ["first_number", "second_number", "path", "label", "kind", "new"]
    (out / FLAGGED).write_text(write_table(columns, rows))


def ringed(rgb: Rgb, kinds: dict[str, Finding]) -> Rgb:
    """Return a copy with a green ring on each second cell, a blue one on each fragment."""
    marked = rgb.copy()
    for kind, colour in (("multicell", (0, 150, 0)), ("fragment", (0, 0, 255))):
        for row, column in places(kinds[kind].reason) if kind in kinds else []:
            cv2.circle(marked, (column, row), 10, colour, 2)
    return marked


def by_class(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Group samples by their class."""
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.label].append(sample)
    return groups


def write_sheets(tiles: Sequence[tuple[str, Rgb]], folder: Path, name: str) -> None:
    """Write pictures with a caption each, some on a sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, sheet in enumerate(sheets_of(tiles)):
        (folder / f"{name}-{number}.png").write_bytes(images.encode_png(sheet))


def sheets_of(tiles: Sequence[tuple[str, Rgb]]) -> Iterator[Rgb]:
    """Yield sheets of captioned pictures."""
    size = COLUMNS * ROWS
    for start in range(0, len(tiles), size):
        sheet = np.full((ROWS * TILE_PX, COLUMNS * TILE_PX, 3), 255, dtype=np.uint8)
        for n, (caption, rgb) in enumerate(tiles[start : start + size]):
            row, column = divmod(n, COLUMNS)
            side = TILE_PX - 4
            tile = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
            cv2.putText(tile, caption, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1)
            sheet[row * TILE_PX :, column * TILE_PX :][:side, :side] = tile
        yield sheet


if __name__ == "__main__":
    main()
