"""Precision and counts of what curation finds about cells, and the page that tells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate import share
from naturalize.curate.finding import Finding
from naturalize.datasets.manifest import Manifest, read_table, write_table
from naturalize.errors import InputError
from segment_judged import agreement

Found = Mapping[str, Mapping[str, Finding]]
Row = Mapping[str, str]

KINDS = ("multicell", "fragment", "no_centre_cell")
TURNS = ("first", "second")
PAPER = {
    "BA": (1218, 1123), "BNE": (1633, 1621), "EO": (3117, 2937), "ERB": (1551, 1351),
    "LY": (1214, 1202), "MMY": (1015, 1007), "MO": (1420, 1350), "MY": (1137, 1134),
    "PLT": (2348, 2178), "PMY": (592, 419), "SNE": (1646, 1620),
}  # fmt: skip
"""Images before and after the paper's curation (its Table 3 and Table 4, PMY from section 3.2)."""


def judged_rows(drawn: Sequence[Row], folder: Path) -> list[dict[str, str]]:
    """Return the drawn findings, each with what both judges said: ``right``, ``wrong``, why.

    Judges number the sheets, ``multicell-judged-first.csv`` and ``-second.csv`` hold number, kind,
    right (0 or 1) and a word on what is wrong. A finding without a judgement raises.
    """
    said = {
        turn: {
            (row["number"], row["kind"]): row
            for row in read_table(folder / f"multicell-judged-{turn}.csv")
        }
        for turn in TURNS
    }
    rows = []
    for row in drawn:
        judged = dict(row)
        for turn in TURNS:
            key = (row[f"{turn}_number"], row["kind"])
            verdict = said[turn].get(key, {}).get("right")
            if verdict not in ("0", "1"):
                raise InputError(f"judgement {turn}", f"0 or 1 for {key}", verdict)
            judged[turn] = "right" if verdict == "1" else "wrong"
            judged[f"{turn}_fault"] = said[turn][key].get("fault", "")
        rows.append(judged)
    return rows


def score(manifest: Manifest, found: Found, judged: Sequence[Row]) -> dict[str, Any]:
    """Return precision by kind and class, agreement of the judges, and counts per class."""
    groups = {
        "all": list(judged),
        **{kind: [r for r in judged if r["kind"] == kind] for kind in KINDS[:2]},
        "not looked at while the rules were made": [r for r in judged if r["new"] == "True"],
        **{label: [r for r in judged if r["label"] == label] for label in sorted(manifest.classes)},
    }
    return {
        "images": len({row["path"] for row in judged}),
        "findings": len(judged),
        "precision": {name: precision(rows) for name, rows in groups.items() if rows},
        "agreement": agreement(*(verdicts(judged, turn) for turn in TURNS)),
        "wrong": {
            turn: dict(Counter(r[f"{turn}_fault"] for r in judged if r[turn] == "wrong"))
            for turn in TURNS
        },
        "counts": counts(manifest, found),
    }


def precision(rows: Sequence[Row]) -> dict[str, object]:
    """Return the share of findings that both judges, and each of them, call right."""
    both = sum(all(row[turn] == "right" for turn in TURNS) for row in rows)
    each = {turn: share(sum(row[turn] == "right" for row in rows), len(rows)) for turn in TURNS}
    return {"both": share(both, len(rows)), **each}


def verdicts(judged: Sequence[Row], turn: str) -> dict[int, bool]:
    """Return what one judge said of each finding, by its place."""
    return {place: row[turn] == "right" for place, row in enumerate(judged)}


def counts(manifest: Manifest, found: Found) -> dict[str, dict[str, int]]:
    """Return images by class, those with each finding, and what the paper removed."""
    label_of = {sample.id: sample.label for sample in manifest.samples}
    of = {kind: Counter(label_of[p] for p, kinds in found.items() if kind in kinds)
          for kind in KINDS}  # fmt: skip
    either = Counter(label_of[p] for p, kinds in found.items() if kinds.keys() & set(KINDS[:2]))
    total = manifest.counts()
    return {
        label: {
            "images": total[label],
            **{kind: of[kind][label] for kind in KINDS},
            "multicell or fragment": either[label],
            "paper, images": PAPER[label][0],
            "paper, removed": PAPER[label][0] - PAPER[label][1],
        }
        for label in sorted(manifest.classes)
    }


def write_found(path: Path, found: Found) -> None:
    """Write the names of all images with such a finding."""
    rows = ((p, kind, f.value, f.reason) for p in sorted(found) for kind, f in found[p].items())
    path.write_text(write_table(["path", "kind", "value", "reason"], rows))
