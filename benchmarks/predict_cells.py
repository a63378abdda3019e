"""What the reader says of single cells, kept from one call to the next, and how right it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.classify.cell_table import cell_entry
from naturalize.classify.reader import Reader
from naturalize.classify.review import REASONS
from naturalize.evaluate.bootstrap import bootstrap_scores, intervals
from naturalize.evaluate.calibration import expected_calibration_error
from naturalize.images import Rgb
from naturalize.seeds import child

CHUNK, RESAMPLES, SENT = 32, 2000, 0.1
Entry = Mapping[str, Any]


def read_kept(
    reader: Reader, names: Sequence[str], read: Callable[[str], Rgb], kept: Path, *, centred: bool
) -> list[Entry]:
    """Return what the reader says of each picture; finished chunks are found in ``kept``."""
    entries: list[Entry] = []
    for start in range(0, len(names), CHUNK):
        some = names[start : start + CHUNK]
        file = kept / f"{reader.id}-{'centred' if centred else 'found'}-{start}.json"
        if not file.exists():
            cells = reader.predict_all([read(name) for name in some], centred=centred)
            said = [
                {**cell_entry(name, cell, reader.info.classes), "shares": list(cell.probabilities)}
                for name, cell in zip(some, cells, strict=True)
            ]
            kept.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(said))
        entries += json.loads(file.read_text())
    return entries


def scores(
    entries: Sequence[Entry], truth: Sequence[str], groups: Sequence[str], reader: Reader
) -> dict[str, Any]:
    """Score readings of images whose class is known, with 95% intervals over groups.

    Where no cell was found the reader is counted wrong.
    """
    classes = reader.info.classes
    given = [
        entry["label"] or other(label, classes) for entry, label in zip(entries, truth, strict=True)
    ]
    found = bootstrap_scores(truth, given, groups, classes, rng=child(0, "predict"))
    right = np.array([g == t for g, t in zip(given, truth, strict=True)])
    held = np.array([t in entry["set"] for entry, t in zip(entries, truth, strict=True)])
    sizes = np.array([len(entry["set"]) for entry in entries])
    review = np.array([entry["review"] for entry in entries])
    shares = np.array([entry["shares"] or [1 / len(classes)] * len(classes) for entry in entries])
    before = shares**reader.info.temperature
    before /= before.sum(axis=1, keepdims=True)
    order = np.argsort(-shares.max(axis=1), kind="stable")
    kept = order[: round((1 - SENT) * len(order))]
    names = np.unique(np.asarray(groups), return_inverse=True)[1]
    return {
        "n": len(truth),
        "accuracy": found.accuracy.said(),
        "macro_f1": found.macro_f1.said(),
        "f1": {one.label: one.f1.said() for one in found.per_class},
        "no_cell_found": sum(not entry["label"] for entry in entries),
        "ece_before_temperature": round(calibration_error(before, truth, classes), 4),
        "ece": round(calibration_error(shares, truth, classes), 4),
        "coverage_promised": reader.info.coverage,
        "coverage": mean_interval(held, names),
        "coverage_by_class": {
            name: mean_interval(held[mine], names[mine])
            for name in classes
            if (mine := np.array([t == name for t in truth])).any()
        },
        "set_size": round(float(sizes.mean()), 3),
        "single_class": round(float((sizes == 1).mean()), 3),
        "review": round(float(review.mean()), 3),
        "review_by_reason": {
            reason: sum(reason in entry["reasons"] for entry in entries) for reason in REASONS
        },
        "accuracy_without_reason": mean_interval(right[~review], names[~review]),
        "errors_sent_to_review": round(float(review[~right].mean()), 3) if (~right).any() else None,
        "accuracy_when_10_percent_go_to_review": mean_interval(right[kept], names[kept]),
    }


def other(label: str, classes: Sequence[str]) -> str:
    """Return a class that ``label`` is not."""
    return next(name for name in classes if name != label)


def mean_interval(values: NDArray[np.bool_], groups: NDArray[np.intp]) -> str:
    """Return the mean with its 95% interval, groups drawn with replacement."""
    if not values.size:
        return "none"
    _, place = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    drawn = child(0, "mean").integers(len(sums), size=(RESAMPLES, len(sums)))
    draws = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return intervals(np.array([values.mean()]), draws[:, None], level=0.95)[0].said()


def calibration_error(
    shares: NDArray[np.float64], truth: Sequence[str], classes: Sequence[str]
) -> float:
    """Return the expected calibration error of the most probable class."""
    right = np.array([classes[n] == t for n, t in zip(shares.argmax(axis=1), truth, strict=True)])
    error = expected_calibration_error(shares.max(axis=1), right, np.ones((1, len(truth))))
    return float(error[0])
