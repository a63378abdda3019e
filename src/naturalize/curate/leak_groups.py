"""Leak groups: images that must stay on one side of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from naturalize.curate.finding import Finding
from naturalize.datasets.sample import Sample

GROUPING = ("duplicate", "near_duplicate", "same_field")


def leak_groups(samples: Sequence[Sample], findings: Iterable[Finding]) -> dict[str, str]:
    """Return the group of each sample id.

    Images that a finding of :data:`GROUPING` pairs, and images that share a group already, end in
    one group, directly or through others; it bears the name of its first image's group.
    """
    parent = {sample.group: sample.group for sample in samples}
    order = {sample.group: i for i, sample in reversed(list(enumerate(samples)))}
    group_of = {sample.id: sample.group for sample in samples}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = group = parent[parent[group]]
        return group

    for finding in findings:
        if finding.kind in GROUPING:
            ends = {root(group_of[finding.path]), root(group_of[finding.other_path])}
            first, *others = sorted(ends, key=order.__getitem__)
            for other in others:
                parent[other] = first
    return {sample.id: root(sample.group) for sample in samples}


def regroup(
    samples: Sequence[Sample], findings: Sequence[Finding], decided: Mapping[str, str]
) -> dict[str, str]:
    """Return the group of each sample id where a person named some, ``decided`` by sample id.

    The name of a found group joins it; any other sets the image apart from what it was found with.
    Files with the same bytes stay together whatever is decided.
    """
    groups = leak_groups(samples, findings) | dict(decided)
    named = [sample.model_copy(update={"group": groups[sample.id]}) for sample in samples]
    return leak_groups(named, [finding for finding in findings if finding.kind == "duplicate"])
