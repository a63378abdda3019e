"""How many images that show the same thing a split parts, and how many it would have parted.

A split that knows no groups puts copies and images of one slide region on two sides. Counting them
says what the groups are worth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from naturalize.curate.leak_groups import GROUPING
from naturalize.datasets.sample import Sample

ANY = "any two images of one group"


def found_pairs(
    samples: Sequence[Sample],
    findings: Iterable[Mapping[str, str]],
    sides: Mapping[str, str],
    naive: Mapping[str, str],
) -> dict[str, dict[str, int]]:
    """Return, by kind of finding, the pairs there are and those that two splits part.

    ``findings`` are rows of ``findings.csv``; ``sides`` and ``naive`` give the side of each sample
    id in the split at hand and in one drawn without groups. Under :data:`ANY` stand all pairs of
    images that share a group, however they came to share it.
    """
    counts: dict[str, dict[str, int]] = {}
    for row in findings:
        ends = row["path"], row["other_path"]
        if row["kind"] in GROUPING and all(end in sides for end in ends):
            count = counts.setdefault(row["kind"], _none())
            count["pairs"] += 1
            count["parted"] += sides[ends[0]] != sides[ends[1]]
            count["parted_without_groups"] += naive[ends[0]] != naive[ends[1]]
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        groups[sample.group].append(sample.id)
    shared = [names for names in groups.values() if len(names) > 1]
    if shared:
        counts[ANY] = {
            "pairs": sum(_pairs(len(names)) for names in shared),
            "parted": sum(_parted(names, sides) for names in shared),
            "parted_without_groups": sum(_parted(names, naive) for names in shared),
        }
    return counts


def _none() -> dict[str, int]:
    return {"pairs": 0, "parted": 0, "parted_without_groups": 0}


def _parted(names: Sequence[str], sides: Mapping[str, str]) -> int:
    """Count the pairs of ``names`` that stand on two sides.

    >>> _parted("abc", {"a": "train", "b": "train", "c": "test"})
    2
    """
    together = Counter(sides[name] for name in names).values()
    return _pairs(len(names)) - sum(_pairs(n) for n in together)


def _pairs(n: int) -> int:
    return n * (n - 1) // 2
