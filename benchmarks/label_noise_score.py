"""From two judges' words to a range: how many labels are wrong, and the best score on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from label_noise_draw import CONTROL, DOUBTED, SURE, Answered
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
FEW = 5
"""Controls below which a pair of classes has no rate of false alarms of its own."""
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
    does or is unsure: as judged, and less the share of controls of which the same rule says so,
    of all together or of each pair of classes.
    """
    by_kind = grouped(rows)
    ways = {
        "as judged": None,
        "less controls": ["" for _ in rows],
        "less controls, pair by pair": pairs_of(rows),
    }
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
        **{
            end: {way: ceiling(rows, hit, some, classes) for way, some in ways.items()}
            for end, hit in (("lower", both), ("upper", either))
        },
    }


def grouped(rows: Sequence[Answered]) -> dict[str, list[Answered]]:
    """Return the images judged, by why they were drawn."""
    kinds = {
        "contradicted": (SURE, DOUBTED),
        "contradicted with confidence": (SURE,),
        "contradicted without": (DOUBTED,),
        "controls": (CONTROL,),
    }
    found = {name: [row for row in rows if row.kind in some] for name, some in kinds.items()}
    return {name: some for name, some in found.items() if some}


def pairs_of(rows: Sequence[Answered]) -> list[str]:
    """Return for each image its label and what it is judged against; "" for pairs of few controls.

    Which of two neighbouring stages judges prefer differs from pair to pair.
    """
    controls = Counter(row.pair for row in rows if row.kind == CONTROL)
    return [row.pair if controls[row.pair] >= FEW else "" for row in rows]


def ceiling(
    rows: Sequence[Answered],
    flagged: set[str],
    strata: Sequence[str] | None,
    classes: Sequence[str],
) -> dict[str, dict[str, float]]:
    """Return the share of labels that are wrong and what a perfect reader then scores on them.

    Contradicted images that are ``flagged`` count as filed wrongly, and the perfect reader answers
    what the networks do. With ``strata``, one name an image, they do so by as much as the share
    flagged exceeds that of controls of their stratum. 95% intervals resample groups.
    """
    weights = _weights(rows)
    hit = np.array([row.id in flagged for row in rows])
    contradicted = np.array([row.kind in (SURE, DOUBTED) for row in rows])
    wrong = weights * (hit & contradicted)
    for name in set(strata or ()):
        inside = np.array([stratum == name for stratum in strata or ()])
        control = inside & np.array([row.kind == CONTROL for row in rows])
        seen = _share(weights, hit, inside & contradicted)
        excess = np.maximum(seen - _share(weights, hit, control), 0)
        part = np.divide(excess, seen, out=np.zeros_like(seen), where=seen > 0)
        wrong[:, inside] *= part[:, None]
    best = overall_scores(_confusion(rows, weights, wrong, classes))
    shares = wrong.sum(axis=1) / weights.sum(axis=1)
    values = np.column_stack([shares, *(best[:, OVERALL.index(name)] for name in CEILINGS)])
    found = intervals(values[0], values[1:], level=0.95)
    return {
        name: {key: round(number, 4) for key, number in asdict(one).items()}
        for name, one in zip(("wrong", *CEILINGS), found, strict=True)
    }


def _share(weights: Numbers, hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> Numbers:
    """Return the weight of what is hit among some, by resample."""
    whole = weights[:, among].sum(axis=1)
    return np.asarray(weights[:, among & hit].sum(axis=1) / np.maximum(whole, 1))


def _weights(rows: Sequence[Answered]) -> Numbers:
    """Return how often each image counts: once, then in each resample of groups."""
    names, group = np.unique([row.group for row in rows], return_inverse=True)
    drawn = multinomial(len(names), RESAMPLES, seeds.child(0, "label noise ceiling"))
    return np.vstack([np.ones(len(names)), drawn])[:, group].astype(np.float64)


def _confusion(
    rows: Sequence[Answered], weights: Numbers, wrong: Numbers, classes: Sequence[str]
) -> Numbers:
    """Return the perfect reader's confusion with the labels, (resamples, C, C)."""
    labels, size = [row.label for row in rows], len(classes)
    eye = np.eye(size**2)
    as_filed = eye[confusion_cells(labels, labels, classes)]
    as_read = eye[confusion_cells(labels, [row.answer for row in rows], classes)]
    counts = (weights - wrong) @ as_filed + wrong @ as_read
    return np.asarray(counts.reshape(-1, size, size))


def _pairs(rows: Sequence[Answered], both: set[str], either: set[str]) -> dict[str, dict[str, int]]:
    """Return by label and what it is judged against how many images there are, and what is said."""
    pairs = defaultdict[str, Counter[str]](Counter)
    for row in (row for row in rows if row.kind):
        kind = "controls" if row.kind == CONTROL else "contradicted"
        said = {kind: 1, f"{kind}, both against": row.id in both}
        said[f"{kind}, either against or unsure"] = row.id in either
        pairs[row.pair].update(said)
    by_size = sorted(pairs.items(), key=lambda pair: (-pair[1]["contradicted"], pair[0]))
    return {name: {key: int(n) for key, n in count.items()} for name, count in by_size}


def _by_place(rows: Sequence[Answered], said: Verdicts) -> dict[int, str]:
    return {row.number_1: said[row.id] for row in rows}
