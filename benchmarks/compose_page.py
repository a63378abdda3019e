"""What ``compose.py`` measured, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

AIM = 250
STEPS = {
    "draw": "draw the scene",
    "paint": "paint its pixels and label map",
    "kept image": "of that: the kept image, its density changed",
    "kept decode": "of that: read and decoded",
    "encode": "final JPEG encode alone",
    "decode": "decode alone",
    "whole": "**whole composite: drawn, painted, encoded, decoded**",
    "pillow encode": "the same encode by Pillow",
    "pillow decode": "the same decode by Pillow",
    "pillow in memory": "plain Pillow, cutouts in memory, no JPEG",
    "pillow from files": "plain Pillow, each cutout opened from its PNG, no JPEG",
}


def page(found: Mapping[str, Any]) -> str:
    """Return what was measured as a page of Markdown."""
    lines = [
        "# How fast composites are made",
        "",
        "Made by `python benchmarks/compose.py BANK -o docs/results/compose`; figures and all "
        "rounds in `speed.json`. Milliseconds of processor time an image, one core, best round; "
        "each round makes composites never made before, so what a cache holds is what it would "
        "hold in training. *Plain Pillow* is the paper's Algorithm 1: eight red cells and a "
        "leukocyte pasted by bounding box on a plate of one colour. "
        "Where the load is above one, others used the machine too: a quiet one is likely "
        "faster, and what two processes gain cannot be told.",
    ]
    for name, bank in found.items():
        lines += ["", f"## {name}", "", _about(bank)]
        for recipe, steps in bank.get("steps", {}).items():
            lines += _steps(recipe, steps)
        if "workers" in bank:
            lines += ["", _workers(bank["workers"])]
        if "memory" in bank:
            lines += ["", _memory(bank["memory"])]
    return "\n".join(lines) + "\n"


def _about(bank: Mapping[str, Any]) -> str:
    held, machine = bank["bank"], bank["machine"]
    return (
        f"{held['cutouts']:,} cutouts and {held['plates']:,} plates. {machine['cpu']}; Python "
        f"{machine['python']}, NumPy {machine['numpy']}, Pillow {machine['pillow']} with "
        f"libjpeg-turbo {machine['libjpeg-turbo']}; load {machine['load']} on "
        f"{machine['cores']} cores."
    )


def _steps(recipe: str, steps: Mapping[str, Any]) -> list[str]:
    ms = steps["ms"]
    lines = ["", f"Recipe `{recipe}`, {steps['objects']} objects placed on an image:", ""]
    lines += ["| step | ms | a second |", "|---|---|---|"]
    lines += [
        f"| {about} | {ms[step]:.2f} | {1000 / ms[step]:.0f} |"
        for step, about in STEPS.items()
        if step in ms
    ]
    before = ms["draw"] + ms["paint"]
    codec = ms["encode"] + ms["decode"]
    return [
        *lines,
        "",
        f"Online: **{1000 / ms['whole']:.0f} composites a second** (aim: {AIM}), "
        f"{1000 / before:.0f} without the final JPEG, which is part of the look; that JPEG alone "
        f"would allow {1000 / codec:.0f}. A composite costs {ms['whole'] / codec:.1f} "
        f"times its own JPEG encode and decode, {ms['whole'] / ms['encode']:.1f} times the encode "
        f"alone; without JPEG, {before / ms['pillow in memory']:.1f} times plain Pillow with "
        f"cutouts in memory and {before / ms['pillow from files']:.1f} times Pillow that opens "
        f"them from files. OpenCV and Pillow give {_sameness(steps)}.",
    ]


def _sameness(steps: Mapping[str, Any]) -> str:
    if steps["pillow_differs"]:
        return "other bytes or pixels"
    return "the same bytes and pixels here; OpenCV, the faster, does both"


def _workers(workers: Mapping[str, Any]) -> str:
    one, two = (max(workers["per_second"][key]) for key in ("1", "2"))
    return (
        f"Two processes: {two:.0f} composites a second against {one:.0f} of one (wall clock, best "
        f"of two turns of {workers['images']:,} each; {workers['when']}), {workers['gain']:.2f} "
        "times (aim: 1.8)."
    )


def _memory(memory: Mapping[str, Any]) -> str:
    told = ", ".join(
        f"{mib:,} MiB {when if when == 'at the start' else f'after {int(when):,}'}"
        for when, mib in memory.items()
    )
    return f"Peak memory of one process: {told}."
