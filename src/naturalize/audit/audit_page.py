"""What an audit found, as a page."""

from __future__ import annotations

from naturalize.audit.auc import LEVEL, RESAMPLES
from naturalize.audit.findings import CHANCE, HARD_CUT, Findings
from naturalize.page.block import Block, Callout, Prose
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table

_PROBES = {
    "frozen": "frozen efficientnet-lite0 features of the whole picture, logistic regression",
    "crops": "a small network trained on crops at native resolution",
}
_METHOD = f"""
The train images of the bank are dealt into two pools that share no group. A probe learns to tell
composites made from the first pool from real images of that pool, and is judged on composites and
real images of the second. Classes and acquisition source are the same on both sides, and every
picture, real ones too, goes through the recipe's final JPEG encode.

The figure is the area under the ROC curve on the second pool: .5 is chance, 1 is never wrong.
Brackets hold its {LEVEL:.0%} interval over {RESAMPLES:,} bootstraps of the images.

Two controls. Real images against other real images must give .5; the same scenes pasted with a hard
edge (alpha) must be caught, or the probe is blind.
"""


def audit_page(findings: Findings) -> str:
    """Return the page as HTML, whole in itself; the same findings, the same page."""
    name = findings.recipe.name
    sections = (
        Section("Verdict", (_verdict(findings), _table(findings))),
        Section("How it was measured", (Prose(_METHOD), _probes(findings))),
    )
    footer = f"Bank {findings.bank}, seed {findings.seed}. Research use only."
    return render_page(f"Can composites of recipe {name} be told?", sections, footer=footer)


def _verdict(findings: Findings) -> Block:
    over = findings.over_limit()
    if over:
        lines = "\n\n".join(finding.said() for finding in over)
        return Callout(lines, "warning", "Over the limit")
    return Callout("Every probe stays below its limit.", "note", "Hard to tell from real")


def _table(findings: Findings) -> Table:
    rows: list[list[Cell]] = []
    for finding in findings.found:
        is_control = finding.trial in (CHANCE, HARD_CUT)
        limit = "control" if is_control else f"{findings.limits[finding.probe]:.2f}"
        rows.append([finding.trial, finding.probe, finding.auc.said(), limit, finding.n])
    columns = ["told from real", "probe", "AUC", "limit of the upper end", "pictures of each"]
    return Table(columns, rows, numeric=(2, 3, 4))


def _probes(findings: Findings) -> Table:
    return Table(["probe", "what it is"], [[name, _PROBES[name]] for name in findings.limits])
