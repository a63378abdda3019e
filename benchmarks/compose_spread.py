"""How much do real cells of one class differ in stain, size and focus, and plates in light?

    python benchmarks/compose_spread.py BANK -o docs/results/compose

Measures all subjects of a bank as :mod:`naturalize.compose.spread` does with a part of them, with
95% intervals by resampling cells, and writes ``spread.json`` and ``spread.md``; no pixel.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import open_artefact
from naturalize.compose.spread import (
    LOOKED_AT,
    Figures,
    bank_axes,
    cell_figures,
    class_spreads,
    spread_of,
)
from naturalize.compose.variation import LARGEST
from naturalize.cutouts.bank import CutoutBank
from naturalize.seeds import child

ROUNDS = 1000
PERCENTS = (1, 16, 50, 84, 99)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bank", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    bank = CutoutBank.load(open_artefact(args.bank, "bank"))
    result = measured(bank)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "spread.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "spread.md").write_text(page(result))
    print(page(result))


def measured(bank: CutoutBank) -> dict[str, Any]:
    """Return the spread of every class over all its subjects, and the plates' light."""
    rows = {label: bank.subjects(label) for label in bank.classes if bank.subjects(label)}
    axes = bank_axes(bank, rows)
    cells = {label: cell_figures(bank, some, axes) for label, some in rows.items()}
    used = spread_of(bank)
    apart = np.degrees(np.arccos(np.clip((axes * used.axes).sum(axis=0), -1, 1)))
    return {
        "bank": bank.id,
        "axes": {"azure": axes[:, 0].round(3).tolist(), "eosin": axes[:, 1].round(3).tolist()},
        "axes_of_part_off_degrees": apart[:2].round(2).tolist(),
        "classes": {
            label: told(figures, class_spreads({label: figures})[label], used.classes[label])
            for label, figures in cells.items()
        },
        "plates": len(bank.plates),
        "light": {
            str(percent): np.percentile(bank.plate_colours, percent, axis=0).round(1).tolist()
            for percent in PERCENTS
        },
    }


def told(cells: NDArray[np.float64], whole: Figures, part: Figures) -> dict[str, Any]:
    """Return the spread of one class, its interval, and what a part of its cells gives."""
    rng = child(0, "spread")
    draws = rng.integers(len(cells), size=(ROUNDS, len(cells)))
    again = np.array([class_spreads({"": cells[draw]})[""] for draw in draws])
    low, high = np.percentile(again, (2.5, 97.5), axis=0)
    middle = np.median(cells, axis=0)
    return {
        "cells": len(cells),
        "median": dict(zip(Figures._fields, middle[:4].round(3).tolist(), strict=True)),
        "spread": {
            name: {
                "value": round(value, 3),
                "low": round(float(low[i]), 3),
                "high": round(float(high[i]), 3),
                "of_part": round(part[i], 3),
            }
            for i, (name, value) in enumerate(whole._asdict().items())
        },
    }


def page(result: Mapping[str, Any]) -> str:
    """Return what was measured as a page of Markdown."""
    azure, eosin = (", ".join(f"{v:.2f}" for v in axis) for axis in result["axes"].values())
    lines = [
        "# What real cells of one class differ by",
        "",
        "Made by `python benchmarks/compose_spread.py BANK`; figures in `spread.json`. PBC, train "
        f"images of the frozen split, {sum(c['cells'] for c in result['classes'].values()):,} "
        "subjects cut out. One standard deviation (half the way from the 16th to the 84th "
        "percentile) over the cells of a class, with its 95% interval (1,000 bootstraps of the "
        "cells). A recipe's `appearance` names the share of it that a composite may use; more "
        f"than {LARGEST:.0%} of the median, or a focus of {LARGEST}, counts as that much.",
        "",
        f"Optical density of red, green, blue along azure: {azure}; along eosin: {eosin}.",
        "",
        "| class | cells | azure, % of median | eosin, % of median | diameter, px | "
        "diameter, % of median | focus, strength |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, one in result["classes"].items():
        spread = one["spread"]
        stain = " | ".join(_percent(spread[name]) for name in ("azure", "eosin"))
        focus = "{value:.2f} [{low:.2f}, {high:.2f}]".format(**spread["focus"])
        lines.append(
            f"| {label} | {one['cells']:,} | {stain} | {one['median']['diameter']:.0f} | "
            f"{_percent(spread['diameter'])} | {focus} |"
        )
    return "\n".join([*lines, "", *_explained(result), ""])


def _percent(figure: Mapping[str, float]) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * figure[k] for k in ("value", "low", "high")))


def _explained(result: Mapping[str, Any]) -> list[str]:
    off = max(
        abs(spread["of_part"] / spread["value"] - 1)
        for one in result["classes"].values()
        for spread in one["spread"].values()
    )
    degrees = max(result["axes_of_part_off_degrees"])
    light = result["light"]
    ranges = ", ".join(
        f"{name} {light['1'][i]:.0f} to {light['99'][i]:.0f}"
        for i, name in enumerate(("red", "green", "blue"))
    )
    return [
        "Azure and eosin are the two directions between which the pixels of nucleated cells lie "
        "(Macenko et al. 2009); amounts are means over a cell, so they tell how strongly the slide "
        "took the stain, and also how much nucleus or granules a cell has. Focus is the spread of "
        "fine over coarse detail inside a cell, told as the strength of the blur that makes as "
        "much difference; texture that differs from cell to cell is in it. Slides cannot be told "
        "apart in PBC, so all of this is within a class, not within a slide.",
        "",
        f"While composing, {LOOKED_AT} cells of each class are looked at, not all: the axes are "
        f"then off by at most {degrees:.1f} degrees, a spread by at most {off:.0%}.",
        "",
        f"The palette of light: the bare slides of {result['plates']:,} plates, 1st to 99th "
        f"percentile: {ranges} grey levels.",
    ]


if __name__ == "__main__":
    main()
