"""Findings: files with the same bytes, and those among them filed under different classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from naturalize.curate.finding import Finding
from naturalize.datasets.sample import Sample


def find_duplicates(samples: Iterable[Sample]) -> list[Finding]:
    """Compare every later copy with the first; a copy of another class is a label conflict.

    Where the copies of one image disagree on its class, each of them is named in a
    ``label_conflict``, since none can be trusted.
    """
    copies: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        copies[sample.sha256].append(sample)
    findings = []
    for same in copies.values():
        first, *later = same
        conflict = len({sample.label for sample in same}) > 1
        for copy in later:
            findings.append(
                Finding(
                    kind="duplicate",
                    path=copy.id,
                    other_path=first.id,
                    value="1",
                    reason="the two files hold the same bytes",
                )
            )
        for one in same if conflict else ():
            other = next(sample for sample in same if sample.label != one.label)
            findings.append(
                Finding(
                    kind="label_conflict",
                    path=one.id,
                    other_path=other.id,
                    value=f"{one.label}/{other.label}",
                    reason="the same image is filed under two classes",
                )
            )
    return findings
