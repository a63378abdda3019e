"""From two judges' words to a range: how many labels are wrong, and the best score on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_noise_draw import CONTROL, DOUBTED, UNLIKELY, Answered
from naturalize import seeds
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.evaluate.bootstrap import intervals, multinomial
from naturalize.evaluate.confusion import confusion_cells
from naturalize.evaluate.scores import OVERALL, overall_scores
from segment_agreement import share_interval
from segment_judged import agreement

Verdicts = Mapping[str, str]
Numbers = NDArray[np.float64]

LABEL, AGAINST, UNSURE = "label", "against", "unsure"
RESAMPLES = 2000
CEILINGS = ("accuracy", "macro_f1")


def read_verdicts(path: Path, rows: Sequence[Answered], judge: int) -> dict[str, str]:
    """Return by image whether a judge sides with its label, against it, or is unsure.

    :class:`InputError` unless the table has A, B or unsure for each number of the judge's sheets.
    """
    said = {int(line["number"]): line["right"].strip() for line in read_table(path)}
    judged = [row for row in rows if row.kind]
    verdicts = {}
    for row in judged:
        number, a, b = row.seen_by(judge)
        named = {"A": a, "B": b, UNSURE: UNSURE}.get(said.get(number, ""))
        if named is None:
            raise InputError(str(path), f"A, B or unsure for {number}", said.get(number))
        verdicts[row.id] = {row.label: LABEL, UNSURE: UNSURE}.get(named, AGAINST)
    if len(said) > len(judged):
        raise InputError(str(path), f"{len(judged)} numbers", f"{len(said)}")
    return verdicts


def score(
    rows: Sequence[Answered], first: Verdicts, second: Verdicts, classes: Sequence[str]
) -> dict[str, Any]:
    """Return what judges said of each kind, how far they agree, and the ranges.

    ``lower`` counts a label as wrong where both judges side against it, ``upper`` where either
    does or is unsure; each less what the same rule says of controls
    (:func:`less_false_alarms`).
    """
    by_kind = grouped(rows)
    both = {name for name in first if first[name] == second[name] == AGAINST}
    either = {name for name in first if not first[name] == second[name] == LABEL}
    return {
        "images": len(rows),
        "groups": len({row.group for row in rows}),
        "agreement": {
            name: agreement(*(_by_place(some, said) for said in (first, second)))
            for name, some in by_kind.items()
        },
        "said": {
            name: {
                "judge 1": Counter(first[row.id] for row in some),
                "judge 2": Counter(second[row.id] for row in some),
                "both against": share_interval(sum(r.id in both for r in some), len(some)),
                "either against or unsure": share_interval(
                    sum(r.id in either for r in some), len(some)
                ),
            }
            for name, some in by_kind.items()
        },
        "pairs": _pairs(rows, both, either),
        "lower": ceiling(rows, both, classes),
        "upper": ceiling(rows, either, classes),
    }


def grouped(rows: Sequence[Answered]) -> dict[str, list[Answered]]:
    """Return the images judged, by why they were drawn."""
    kinds = {
        "contradicted": (UNLIKELY, DOUBTED),
        "contradicted with confidence": (UNLIKELY,),
        "contradicted without": (DOUBTED,),
        "controls": (CONTROL,),
    }
    found = {name: [row for row in rows if row.kind in some] for name, some in kinds.items()}
    return {name: some for name, some in found.items() if some}


def ceiling(
    rows: Sequence[Answered], flagged: set[str], classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return the share of labels that are wrong and what a perfect reader then scores on them.

    A contradicted image that is ``flagged`` counts as filed wrongly by as much as
    :func:`less_false_alarms` leaves of it, and the perfect reader answers what the networks do.
    ``uncorrected`` is the share without that. 95% intervals resample groups of all images.
    """
    names, group = np.unique([row.group for row in rows], return_inverse=True)
    drawn = multinomial(len(names), RESAMPLES, seeds.child(0, "label noise ceiling"))
    weights = np.vstack([np.ones(len(names)), drawn])[:, group].astype(np.float64)
    control = np.array([row.kind == CONTROL for row in rows])
    contradicted = np.array([row.kind in (UNLIKELY, DOUBTED) for row in rows])
    hit = np.array([row.id in flagged for row in rows])
    raw = _share(weights, hit, contradicted)
    kept = less_false_alarms(raw, _share(weights, hit, control))
    part = np.divide(kept, raw, out=np.zeros_like(raw), where=raw > 0)
    wrong = weights[:, hit & contradicted].sum(axis=1) / weights.sum(axis=1)
    confusion = _confusion(rows, weights, hit & contradicted, part, classes)
    best = overall_scores(confusion)[:, [OVERALL.index(name) for name in CEILINGS]]
    values = np.column_stack([part * wrong, wrong, best])
    found = intervals(values[0], values[1:], level=0.95)
    told = ("wrong", "uncorrected", *CEILINGS)
    return {
        name: {key: round(number, 4) for key, number in asdict(one).items()}
        for name, one in zip(told, found, strict=True)
    }


def less_false_alarms(seen: Numbers, alarms: Numbers) -> Numbers:
    """Return the share truly wrong of a share ``seen`` as wrong, given that of right ones.

    Rogan and Gladen 1978 (Am. J. Epidemiol. 107, 71-76) with a sensitivity of 1: a judge who
    overlooks no wrong label.

    >>> less_false_alarms(np.array([0.6, 0.1]), np.array([0.2, 0.2])).round(3).tolist()
    [0.5, 0.0]
    """
    room = np.maximum(1 - alarms, 1e-12)
    return np.asarray(np.maximum(seen - alarms, 0) / room)


def _share(weights: Numbers, hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> Numbers:
    """Return the weight of what is hit among some, by resample."""
    whole = weights[:, among].sum(axis=1)
    return np.asarray(weights[:, among & hit].sum(axis=1) / np.maximum(whole, 1))


def _confusion(
    rows: Sequence[Answered],
    weights: Numbers,
    wrong: NDArray[np.bool_],
    part: Numbers,
    classes: Sequence[str],
) -> Numbers:
    """Return the perfect reader's confusion with the labels, by resample, (resamples, C, C)."""
    labels, size = [row.label for row in rows], len(classes)
    eye = np.eye(size**2)
    as_filed = eye[confusion_cells(labels, labels, classes)]
    as_read = eye[confusion_cells(labels, [row.answer for row in rows], classes)]
    moved = weights[:, wrong] @ (as_read - as_filed)[wrong]
    return np.asarray((weights @ as_filed + part[:, None] * moved).reshape(-1, size, size))


def _pairs(rows: Sequence[Answered], both: set[str], either: set[str]) -> dict[str, dict[str, int]]:
    """Return by label and answer how many contradicted images there are and what is said of them."""
    pairs = defaultdict[str, Counter[str]](Counter)
    for row in rows:
        if row.kind in (UNLIKELY, DOUBTED):
            said = {"images": 1, "both against": row.id in both}
            said["either against or unsure"] = row.id in either
            pairs[f"{row.label} read as {row.answer}"].update(said)
    by_size = sorted(pairs.items(), key=lambda pair: (-pair[1]["images"], pair[0]))
    return {name: {key: int(n) for key, n in count.items()} for name, count in by_size}


def _by_place(rows: Sequence[Answered], said: Verdicts) -> dict[int, str]:
    return {row.number_1: said[row.id] for row in rows}
