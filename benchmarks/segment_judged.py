"""What two judges said of the drawn masks: precision, and how far they agree."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from naturalize.errors import InputError
from segment_agreement import share_interval
from segment_draw import Row

Good = Mapping[int, bool]


@dataclass(frozen=True)
class Judgement:
    """One judge's word on every mask of a draw: good or not, and what is wrong."""

    good: dict[int, bool]
    faults: dict[int, str]


def read_judgement(path: Path, wanted: set[int]) -> Judgement:
    """Read a table number,good,fault; refused unless all ``wanted`` numbers have a 0 or a 1."""
    with path.open(newline="") as file:
        given = {int(line["number"]): line for line in csv.DictReader(file)}
    bad = sorted(n for n in wanted if given.get(n, {}).get("good") not in ("0", "1"))
    if bad or given.keys() - wanted:
        said = f"others for {bad[:9]}" if bad else f"numbers {sorted(given.keys() - wanted)[:9]}"
        raise InputError(str(path), "0 or 1 as good for each drawn mask, and no more", said)
    return Judgement(
        {n: given[n]["good"] == "1" for n in sorted(wanted)},
        {n: (given[n].get("fault") or "").strip() for n in sorted(wanted)},
    )


def judged(rows: Sequence[Row], first: Judgement, second: Judgement | None) -> dict[str, object]:
    """Return the shares of good masks by group, and the agreement of the judges.

    ``both`` is the rule: a mask is good if both judges say so. ``first`` is the first judge alone.
    """
    rules: dict[str, Good] = {"first": first.good}
    result: dict[str, object] = {}
    if second is not None:
        rules = {
            "both": good_by_both(first, second),
            "first": first.good,
            "second": second.good,
        }
        result["agreement"] = agreement(first.good, second.good)
    for rule, good in rules.items():
        result[rule] = {
            name: share_interval(sum(good[r.number] for r in some), len(some))
            for name, some in grouped(rows).items()
        }
    judges = {"first": first} | ({"second": second} if second is not None else {})
    result["faults"] = {
        name: dict(Counter(j.faults[n] or "not named" for n in j.good if not j.good[n]))
        for name, j in judges.items()
    }
    return result


def good_by_both(first: Judgement, second: Judgement) -> dict[int, bool]:
    """Return for each number whether both judges call the mask good."""
    return {number: good and second.good[number] for number, good in first.good.items()}


def grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return all rows, and parts of them: central cells by class, objects by kind and more."""
    groups = defaultdict(list)
    for row in rows:
        for name in _groups_of(row):
            groups[name].append(row)
    return {"all": list(rows), **dict(sorted(groups.items()))}


def _groups_of(row: Row) -> list[str]:
    if row.label:
        return [row.label]
    place = "at the border" if row.border else "whole"
    shape = "cut from a clump" if row.clump else "single"
    return [row.kind, *(f"{row.kind} {said}" for said in (row.source, place, shape))]


def agreement(first: Mapping[int, Hashable], second: Mapping[int, Hashable]) -> dict[str, object]:
    """Return the share judged alike, and Cohen's kappa (1960), None where that has no value.

    >>> agreement({1: True, 2: True, 3: False, 4: False}, {1: True, 2: False, 3: False, 4: False})
    {'n': 4, 'alike': 0.75, 'kappa': 0.5, 'differ': [2]}
    """
    n = len(first)
    differ = [k for k in first if first[k] != second[k]]
    observed = 1 - len(differ) / n
    counts = [Counter(said.values()) for said in (first, second)]
    chance = sum(counts[0][word] * counts[1][word] for word in counts[0]) / n**2
    kappa = None if chance == 1 else round((observed - chance) / (1 - chance), 4)
    return {"n": n, "alike": round(observed, 4), "kappa": kappa, "differ": differ}
