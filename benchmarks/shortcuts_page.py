"""Write docs/results/audit from audits of real runs, without a picture of a real image.

    naturalize audit out/train/plain-0 out/train/plain-1 out/train/plain-2 \\
        out/train/naturalize-0 -o out/shortcuts
    python benchmarks/shortcuts_page.py out/shortcuts -o docs/results/audit

Each audit's ``shortcuts.json`` is copied as ``FOLDER.json``; ``README.md`` says the same in words.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from naturalize.artefact import open_artefact
from naturalize.audit.shortcut_findings import SHORTCUTS, Model, Shortcuts
from naturalize.audit.shortcut_page import METHOD, told, verdict
from naturalize.audit.views import VIEWS
from naturalize.evaluate.bootstrap import Interval

TITLES = {view.name: view.title for view in VIEWS}
HEAD = """# Does the network look at the cell?

Written by `benchmarks/shortcuts_page.py`, whose head names the commands; figures in the JSON files
beside this page. Brackets hold 95 % bootstrap intervals over groups of images, and over seeds where
there are several; with one seed they speak of that network alone."""


def main() -> None:
    """Copy the figures and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audits", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for folder in args.audits:
        audit = open_artefact(folder, "shortcuts")
        (args.out / f"{folder.name}.json").write_bytes((audit.path / SHORTCUTS).read_bytes())
        found = Shortcuts.load(audit)
        parts += [part for model in found.models for part in section(found, model)]
    parts += ["## How it was measured", METHOD]
    (args.out / "README.md").write_text("\n\n".join(parts) + "\n")
    print(f"wrote {args.out / 'README.md'}")


def section(found: Shortcuts, model: Model) -> Iterator[str]:
    """Say what was found of one model: in words, in a table, by class."""
    yield f"## {model.name} ({', '.join(model.runs)})"
    yield f"**{verdict(model)[1]}**"
    yield "\n".join(f"- {line}" for line in told(found, model))
    yield counted(found)
    rows = [["as they are, all", str(found.n), said(model.whole.accuracy), "",
             said(model.whole.macro_f1)]]  # fmt: skip
    rows += [
        [
            TITLES[seen.view],
            str(seen.n),
            said(seen.scores.accuracy),
            seen.change.accuracy.said(signed=True),
            said(seen.macro_f1) if seen.macro_f1 else "–",
        ]
        for seen in model.seen
    ]
    yield table(["shown", "images", "accuracy", "change", "macro F1"], rows)
    yield "Recall by class:"
    columns = ["class", "as they are", *(TITLES[seen.view] for seen in model.seen)]
    yield table(columns, [by_class(model, n, label) for n, label in enumerate(found.classes)])


def by_class(model: Model, number: int, label: str) -> list[str]:
    """Return one row: the recall of a class, as it is and in every view."""
    shown = [seen.scores.per_class[number] for seen in model.seen]
    recalls = [f"{said(one.recall)}, n = {one.support}" if one.support else "–" for one in shown]
    return [label, said(model.whole.per_class[number].recall), *recalls]


def counted(found: Shortcuts) -> str:
    """Say how many images there are, and what became of the others."""
    lost = "; ".join(f"{sum(c.values())} left out ({why})" for why, c in found.left_out.items())
    sources = ", ".join(map(str, found.sources.values()))
    return (
        f"Split `{found.split}`, seed {found.seed}: {found.apart} of {found.n} test images in "
        f"{found.n_groups} groups; {lost or 'none left out'}. By acquisition source: {sources}."
    )


def said(interval: Interval) -> str:
    """Return a value with the ends of its interval."""
    return f"{interval.value:.3f} [{interval.low:.2f}, {interval.high:.2f}]"


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
