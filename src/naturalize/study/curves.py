"""The curves of a study: macro F1 over images a class, or over composites for each real image."""

from __future__ import annotations

from markupsafe import Markup

from naturalize.page.line_plot import lines
from naturalize.page.svg import PALETTE
from naturalize.study.results import Block, StudyResults
from naturalize.study.spec import Spec


def curves(results: StudyResults) -> Markup | None:
    """Draw the mean over seeds of the study's first seven arms; None while there is no point.

    Blocks whose test images lack a class are left out: macro F1 counts such a class as 0.
    """
    spec = results.spec
    names = list(spec.arms)[: len(PALETTE)]
    points: dict[str, list[tuple[float, float]]] = {}
    for block in (b for b in results.blocks if not b.lacking):
        for arm in block.report.arms:
            if arm.name in names:
                curve, x = _place(spec, arm.name, block)
                if x is not None:
                    points.setdefault(curve, []).append((x, arm.scores.macro_f1.value))
    if not points:
        return None
    over = "real images a class" if spec.curve == "size" else "composites for each real image"
    return lines(points, over, "macro F1", title=f"Macro F1 over {over}")


def _place(spec: Spec, name: str, block: Block) -> tuple[str, float | None]:
    """Return the curve an arm belongs to, and where on it."""
    if spec.curve == "size":
        return name, block.size
    composed = spec.arms[name].composed
    if composed is None:
        return "", None
    share = "" if composed.share is None else f", share {composed.share:g}"
    return composed.recipe + share, composed.dose if composed.shows == "composites" else 0.0
