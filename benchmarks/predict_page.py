"""The figures of ``predict.py`` as one page of Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BOXES = Path(__file__).parents[1] / "docs/results/segment/boxes.json"
CELLS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "ece_before_temperature": "calibration error before temperature",
    "ece": "calibration error",
    "coverage": "conformal sets hold the true class",
    "set_size": "classes in a set, mean",
    "single_class": "sets of one class",
    "review": "sent to review",
    "accuracy_without_reason": "accuracy of the rest",
    "errors_sent_to_review": "errors among those sent to review",
    "accuracy_when_10_percent_go_to_review": "accuracy when the least certain 10% go to review",
    "no_cell_found": "no cell found, images",
}


def page(folder: Path) -> str:
    """Return the page of all JSON files in ``folder``."""
    found = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    told = next(iter(found.values()))["reader"]
    lines = [
        "# The reader",
        "",
        "Made by `python benchmarks/predict.py cells fields others precision unfamiliar speed page "
        "--split SPLIT --run RUN --left-out FOLDER`. 95% intervals resample independent groups of "
        "images.",
        "",
        f"- Reader `{told['id']}`: {told['model']}, arm `{told['arm']}`, run `{told['run']}`, "
        f"split `{told['split']}` ([frozen](../split/pbc.csv)).",
        f"- Data: {told['data']}. Real images; no rule was chosen on a test image. Validation "
        "images: one half for temperature and limits, the other for the conformal sets alone.",
        "",
    ]
    for name, write in PARTS.items():
        if name in found:
            lines += [*write(found[name]), ""]
    return "\n".join(lines)


def _cells(found: Mapping[str, Any]) -> list[str]:
    one, two = found["found"], found["centred"]
    return [
        f"## Single cells: {one['n']:,} real test images of PBC",
        "",
        "| | cell found | `--centred` |",
        "|---|---|---|",
        *(f"| {words} | {one[key]} | {two[key]} |" for key, words in CELLS.items()),
        "",
        f"The sets promise {one['coverage_promised']:.0%}, on images like these alone.",
        "",
        "| class | F1 | sets hold it |",
        "|---|---|---|",
        *(f"| {k} | {v} | {one['coverage_by_class'].get(k, '')} |" for k, v in one["f1"].items()),
        "",
        "Reasons: " + "; ".join(f"{k} {v}" for k, v in one["review_by_reason"].items()) + ".",
    ]


def _fields(found: Mapping[str, Any]) -> list[str]:
    recall = json.loads(BOXES.read_text())["recall"]["WBC"]
    lines = [
        "## Fields",
        "",
        f"Of {recall['boxes']} boxes round nucleated cells in BCCD, {recall['value']:.3f} "
        f"[{recall['low']:.3f}, {recall['high']:.3f}] are found (IoU of .5 or more; "
        "[segment](../segment/README.md): fields of 640 x 480 px go through the same segmenter).",
        "",
        "**Differential of mosaics.** "
        "Ten fields of twelve test images each; percentages of leukocytes. Each image is seen at "
        "full size and cells keep their own surroundings, so this tests counting, reading and "
        "correcting, not real crowded fields.",
        "",
    ]
    for name, mix in ((k, v) for k, v in found.items() if k != "reader"):
        read, true = mix["read"], mix["true_percent"]
        percent, nrbc = read["percent_corrected"], read["nrbc_per_100"]
        errors = mix["mean_error_points"]
        inside = [low <= true[label] <= high for label, (_, low, high) in percent.items()]
        shown = sum(mix["cells_shown"].values()) - mix["cells_shown"].get("PLT", 0)
        lines += [
            f"**{name}**: {mix['nucleated_cells_found']} nucleated cells found, {shown} centred in "
            f"its images. NRBC per 100: {nrbc[0]} ({nrbc[1]} to {nrbc[2]}), truly "
            f"{mix['true_nrbc_per_100']}. Mean error: {errors['as counted']} points as counted, "
            f"{errors['corrected']} corrected. Truth inside its interval: "
            f"{sum(inside)} of {len(inside)}.",
            "",
            "| | true % | as counted | corrected | 95% interval |",
            "|---|---|---|---|---|",
        ]
        for label, (value, low, high) in percent.items():
            counted = read["percent_counted"][label]
            lines.append(f"| {label} | {true[label]} | {counted} | {value} | {low} to {high} |")
        lines.append("")
    return lines


def _others(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Images of coarse labels, and of another source",
        "",
        "`IG` and `NEUTROPHIL` are PBC images whose sub-class nobody gave; `wbc_masks` are 50 "
        "CellaVision images of five classes (another scanner and stain; nothing was tuned on "
        "them). Right is any sub-class of the label.",
        "",
        "| | n | right | right without a reason | set holds the class | review | unfamiliar |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in ((k, v) for k, v in found.items() if k != "reader"):
        figures = [one["n"], one["accuracy"], one["accuracy_without_reason"]]
        figures += [one["set_holds_the_class"], one["review"], one["unfamiliar"]]
        lines.append(f"| {name} | " + " | ".join(map(str, figures)) + " |")
    return lines


def _precision(found: Mapping[str, Any]) -> list[str]:
    rows = {k: v for k, v in found.items() if isinstance(v, dict) and "accuracy" in v}
    return [
        "## 32 and 8 bits",
        "",
        "| reader | accuracy, centred test images | ms a view, one core | MiB |",
        "|---|---|---|---|",
        *(
            f"| {k} | {v['accuracy']} | {v['milliseconds_a_view']} | {v['megabytes']} |"
            for k, v in rows.items()
        ),
        "",
        f"They give the same class to {found['same_class']:.1%} of the images.",
    ]


def _unfamiliar(found: Mapping[str, Any]) -> list[str]:
    flagged = found["flagged"]
    return [
        "## Cells of no class the reader knows",
        "",
        found["how"],
        "",
        "| left out | " + " | ".join(flagged) + " |",
        "|---|" + "---|" * len(flagged),
        *(
            f"| {side} | " + " | ".join(str(one[side]) for one in flagged.values()) + " |"
            for side in next(iter(flagged.values()))
        ),
    ]


def _speed(found: Mapping[str, Any]) -> list[str]:
    spent, rate = found["milliseconds_of_one_core"], found["images_a_second_of_two_cores"]
    return [
        "## Speed",
        "",
        "Processor time, so that what else runs on the machine counts little; images a second are "
        "what two cores make of it. From JPEG bytes.",
        "",
        "| | ms of one core | a second on two cores |",
        "|---|---|---|",
        *(f"| {name.replace('_', ' ')} | {spent[name]} | {rate[name]} |" for name in spent),
        "",
        f"Start-up with a first picture: {found['start_up_cpu_seconds']} s of processor time; peak "
        f"memory {found['peak_mebibytes']} MiB.",
    ]


PARTS = {
    "cells": _cells,
    "precision": _precision,
    "others": _others,
    "unfamiliar": _unfamiliar,
    "fields": _fields,
    "speed": _speed,
}
