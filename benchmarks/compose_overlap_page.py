"""What ``compose_overlap.py`` measured, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RULES = {
    "sum": "both densities: light multiplies (Beer-Lambert)",
    "darker": "the darker cell's alone (a paste with it on top)",
    "lighter": "the lighter cell's alone (a paste with it on top)",
    "densest": "at each pixel and channel the larger of the two (`transmittance`)",
}
_MEANS = (
    "So on dried smears densities hardly add up where red cells overlap: most likely the cells "
    "flatten and make room for each other. Whether two cells overlap or lie flattened side by side "
    "is told from their outlines alone, not from how dark the lens is; among shallow lenses both "
    "occur, in most deep ones both outlines can be seen to cross (`--sheet` draws them). "
    "The controls show that the method tells the rules apart, and that it finds fewer of the pairs "
    "in which light multiplies, as dark lenses mislead the segmenter: were such pairs common, they "
    "would be under-represented here, not absent."
)

_BESIDE = "Beside this page: what real cells of one class [differ by](spread.md)."


def page(result: Mapping[str, Any]) -> str:
    """Return what was measured as a page of Markdown."""
    lines = [
        "# Where red cells overlap",
        "",
        "Made by `python benchmarks/compose_overlap.py`; figures in `overlap.json`.",
        "",
        "Two red cells that lie over each other and touch nothing else. Each outline is completed "
        "to an ellipse, each cell's density carried into the lens from its own part alone. Errors "
        "in grey levels (0 to 255), predicted minus photographed, so below 0 is too dark; mean "
        "over pairs with 95% interval by resampling them.",
    ]
    for name in (key for key in result if key != "seed"):
        for depth, group in result[name]["pairs"].items():
            lines += _told(f"{name}, {depth}", result[name]["images"], group)
        lines += ["", *(_control(name, rule, result[name]) for rule in ("sum", "densest"))]
    return "\n".join([*lines, "", _MEANS, "", _BESIDE, ""])


def _control(name: str, rule: str, result: Mapping[str, Any]) -> str:
    found = result[f"control {rule}"]
    if not found["pairs"]:
        return f"Control ({name}), {RULES[rule]}: no pair.\n"
    return (
        f"Control ({name}): single cells, each laid over its mirror image by the rule "
        f"*{RULES[rule]}*, {found['pairs']} of them found as a pair; the method finds "
        f"{found['added_median']:.0%} added, and {found['signed'][rule]:.1f} grey levels "
        "between that rule and the image.\n"
    )


def _told(name: str, n_images: int, group: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"## {name}: {group['pairs']} pairs of {n_images:,} images",
        "",
        "| the lens shows | mean error | R, G, B | median absolute error |",
        "|---|---|---|---|",
    ]
    for rule, about in RULES.items():
        found = group["rules"][rule]
        low, high = found["signed_interval"]
        channels = ", ".join(f"{value:.1f}" for value in found["signed_by_channel"])
        error = f"{found['signed']:.1f} [{low:.1f}, {high:.1f}]"
        lines.append(f"| {about} | {error} | {channels} | {found['absolute_median']:.1f} |")
    low, high = group["added_quartiles"]
    return [
        *lines,
        "",
        f"The lens shows {group['added_median']:.0%} (quartiles {low:.0%} to {high:.0%}) of the "
        "smaller density above the larger one; 100% would be light that multiplies, the nearest "
        f"rule in {group['nearest']['sum']} of {group['pairs']} pairs. A cell's "
        f"profile is off by {group['one_cell_absolute_median']:.1f} (median) on the cell itself: "
        "no rule can do better.",
    ]
