"""One image of the page to decide on: what was found, proposed by the preset, and decided."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from naturalize.curate.decisions import UNUSABLE, Decision
from naturalize.curate.finding import Finding, FindingKind
from naturalize.curate.leak_groups import leak_groups
from naturalize.datasets.sample import Sample


@dataclass(frozen=True)
class Card:
    """One image of the page: what was found about it, what the preset proposes, what was decided.

    ``mentions`` are findings about other images that name this one; ``group`` is the leak group
    that findings put it in, empty if it is alone.
    """

    path: str
    label: str
    findings: tuple[Finding, ...]
    mentions: tuple[Finding, ...]
    group: str
    proposed: Decision
    decided: Decision | None

    @property
    def now(self) -> Decision:
        """Return what holds until the reader changes it."""
        return self.decided or self.proposed

    @property
    def locked(self) -> bool:
        """Whether nothing can be decided here: no picture, or a name that is no Unicode."""
        return shown(self.path) != self.path or any(f.kind in UNUSABLE for f in self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of finding it takes part in, each once."""
        return tuple(dict.fromkeys(f.kind for f in (*self.findings, *self.mentions)))


def make_cards(
    samples: Sequence[Sample],
    findings: Sequence[Finding],
    *,
    dropping: Collection[str],
    decisions: Mapping[str, Decision],
) -> list[Card]:
    """Return a card for each image that was found or decided upon, those of a pair together.

    Acquisition sources come last: they can be many and are seldom decided image by image.
    """
    order = sorted(get_args(FindingKind), key="source".__eq__)
    about: defaultdict[str, list[Finding]] = defaultdict(list)
    naming: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda f: order.index(f.kind)):
        about[finding.path].append(finding)
        if finding.other_path:
            naming[finding.other_path].append(finding)
            about[finding.other_path] += ()
    for path in decisions:
        about[path] += ()
    labels = {sample.id: sample.label for sample in samples}
    groups = leak_groups(samples, findings)
    shared = Counter(groups.values())
    cards = []
    for path, found in about.items():
        group = groups.get(path, "")
        group = group if shared[group] > 1 else ""
        proposed = _proposal(path, any(f.kind in dropping for f in found), group)
        cards.append(
            Card(
                path,
                labels.get(path, ""),
                tuple(found),
                tuple(naming[path]),
                group,
                proposed,
                decisions.get(path),
            )
        )
    return cards


def _proposal(path: str, dropped: bool, group: str) -> Decision:
    if dropped:
        return Decision(path=path, decision="drop")
    return Decision(path=path, decision="group" if group else "keep", group=group)


def shown(path: str) -> str:
    """Return a file name as a page can hold it: bytes that are no Unicode are written out."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
