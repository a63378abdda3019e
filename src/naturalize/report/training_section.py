"""The part of the report that says how training went: loss, validation, and which weights count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from naturalize.artefact import Artefact
from naturalize.datasets.manifest import read_table
from naturalize.page.block import Block, Prose
from naturalize.page.figure import Figure
from naturalize.page.line_plot import Points, lines
from naturalize.page.page import Section

POINTS = 40


def training_section(arms: Mapping[str, Sequence[Artefact]]) -> Section:
    """Show training loss and validation scores of the first seed of each arm."""
    first = {name: runs[0] for name, runs in arms.items()}
    losses = {name: _losses(run) for name, run in first.items()}
    drawn = lines(losses, "images seen", "training loss", title="Training loss of each arm")
    body: list[Block] = [Prose(_weights_said(first)), Figure(drawn, "Mean loss over a window.")]
    scored = {name: points for name, run in first.items() if (points := _validated(run))}
    if scored:
        title = "Macro F1 on validation images while training"
        drawn = lines(scored, "images seen", "macro F1", title=title)
        words = "Macro F1 on real validation images, which no network learned from."
        body.append(Figure(drawn, words))
    return Section("How training went", tuple(body))


def _weights_said(first: Mapping[str, Artefact]) -> str:
    """Say by which rule the weights were taken."""
    kept = {name: run.summary.get("weights_kept", "last") for name, run in first.items()}
    words = {
        "last": "the last weights count",
        "running mean": "the running mean of the weights counts",
        "best on validation": "the weights that did best on validation images count",
    }
    if len(set(kept.values())) == 1:
        rule = f"{words[next(iter(kept.values()))]} in every arm"
    else:
        rule = "; ".join(f"in “{name}” {words[how]}" for name, how in kept.items())
    return f"The schedule was fixed beforehand, and {rule}: nothing was chosen on the test images."


def _losses(run: Artefact) -> Points:
    rows = read_table(run.path / "metrics.csv")
    seen = np.array([float(row["images"]) for row in rows])
    loss = np.array([float(row["loss"]) for row in rows])
    parts = min(POINTS, len(rows))
    return [
        (float(s.mean()), float(part.mean()))
        for s, part in zip(np.array_split(seen, parts), np.array_split(loss, parts), strict=True)
    ]


def _validated(run: Artefact) -> Points:
    rows = read_table(run.path / "metrics.csv")
    return [
        (float(row["images"]), float(row["val_macro_f1"]))
        for row in rows
        if row.get("val_macro_f1")
    ]
