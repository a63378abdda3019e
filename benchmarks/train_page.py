"""The page about the speed of training."""

from __future__ import annotations

from statistics import median
from typing import Any


def page(found: dict[str, Any]) -> str:
    """Return the figures of ``speed.json`` as Markdown."""
    training, loader, machine = found["training"], found["loader"], found["machine"]
    fastest = max(median(speeds) for speeds in training.values())
    lines = [
        "# How fast training is",
        "",
        "Made by `python benchmarks/train.py`. One core, one thread, processor time, medians of "
        f"{len(training['plain'])} rounds taken in turn; {found['model']} at {found['px']} px, "
        f"batches of {found['batch']}, {found['pixels']}. {machine['cpu']}, torch "
        f"{machine['torch']}, load {machine['load']}.",
        "",
        "| way | images/s | beside plain | beside the line above |",
        "|---|---|---|---|",
    ]
    before = training["plain"]
    for name, speeds in training.items():
        to_plain, to_last = ratio(speeds, training["plain"]), ratio(speeds, before)
        lines.append(f"| {name} | {median(speeds):.1f} | {to_plain:.2f} | {to_last:.2f} |")
        before = speeds
    lines += [
        "",
        "`plain` is the loop of timm's training script in fp32, without what it logs; `ours` is "
        "`fit`, with schedule, checkpoint and checks. Both get the same batches, made beforehand.",
        "",
        "| loader alone, arm | images/s | times what the fastest training eats |",
        "|---|---|---|",
    ]
    for name, speeds in loader.items():
        lines.append(f"| `{name}` | {median(speeds):.0f} | {median(speeds) / fastest:.1f} |")
    return "\n".join(lines) + "\n"


def ratio(speeds: list[float], others: list[float]) -> float:
    """Return the median over rounds of how much faster ``speeds`` are than ``others``."""
    return median(one / other for one, other in zip(speeds, others, strict=True))
