"""The curves of a study: macro F1 over images a class, or over composites for each real image."""

from __future__ import annotations

from itertools import islice

from markupsafe import Markup

from naturalize.page.line_plot import lines
from naturalize.page.svg import PALETTE
from naturalize.study.results import Block, StudyResults
from naturalize.study.spec import Spec


def curves(results: StudyResults) -> Markup | None:
    """Draw the mean over seeds of the study's first seven curves; None while there is no point.

    Over size each arm is a curve; over dose all arms that show composites of one recipe are, and an
    arm without composites is a point at 0. Blocks whose test images lack a class are left out:
    macro F1 counts such a class as 0.
    """
    spec = results.spec
    points: dict[str, list[tuple[float, float]]] = {}
    for block in (b for b in results.blocks if not b.lacking):
        scored = {arm.name: arm.scores.macro_f1.value for arm in block.report.arms}
        for name in spec.arms:
            curve, x = _place(spec, name, block)
            if name in scored:
                points.setdefault(curve, []).append((x, scored[name]))
    if not points:
        return None
    over = "real images a class" if spec.curve == "size" else "composites for each real image"
    shown = dict(islice(points.items(), len(PALETTE)))
    return lines(shown, over, "macro F1", title=f"Macro F1 over {over}")


def _place(spec: Spec, name: str, block: Block) -> tuple[str, float]:
    """Return the curve an arm belongs to, and where on it."""
    if spec.curve == "size":
        return name, float(block.size or 0)
    composed = spec.arms[name].composed
    if composed is None:
        return name, 0.0
    share = "" if composed.share is None else f", share {composed.share:g}"
    return composed.recipe + share, composed.dose if composed.shows == "composites" else 0.0
