"""Curate: collect findings, drop what cannot be used, group what must stay on one side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.curate.duplicates import find_duplicates
from naturalize.curate.finding import TABLE, Finding, findings_table
from naturalize.curate.unreadable import find_unreadable
from naturalize.datasets.manifest import (
    SAMPLES,
    SET_ASIDE,
    Manifest,
    read_table,
    root_entry,
    samples_table,
)
from naturalize.datasets.sample import Sample
from naturalize.progress import Track, quiet

CHUNK = 200
DROPPED = ("unreadable", "not_an_image", "label_conflict")


def curate(
    dataset: Artefact, out: Path, *, if_exists: IfExists = "refuse", track: Track = quiet
) -> Artefact:
    """Write a ``curated`` artefact: ``findings.csv`` and the samples that are left.

    Images that cannot be read and copies that contradict each other are dropped; exact duplicates
    of one class stay and share a group, so that no split can part them.
    """
    manifest = Manifest.load(dataset)

    def write(draft: Draft) -> None:
        findings = [*_not_images(dataset), *_unreadable(draft, manifest, track)]
        bad = {finding.path for finding in findings}
        findings += find_duplicates(s for s in manifest.samples if s.id not in bad)
        kept = regroup(manifest.samples, findings)
        draft.write(TABLE, findings_table(findings))
        draft.write(SAMPLES, samples_table(kept))
        counts = Counter(sample.label for sample in kept)
        draft.summary.update(
            classes=[label for label in manifest.classes if counts[label]],
            root=root_entry(manifest.root, out),
            counts={label: counts[label] for label in manifest.classes},
            findings=dict(Counter(finding.kind for finding in findings)),
            dropped=len(manifest.samples) - len(kept),
        )

    return build(out, Request("curated", inputs={"dataset": dataset}), write, if_exists=if_exists)


def regroup(samples: Sequence[Sample], findings: Sequence[Finding]) -> tuple[Sample, ...]:
    """Return the samples no finding drops, duplicates carrying the group of their first copy."""
    dropped = {finding.path for finding in findings if finding.kind in DROPPED}
    first = {f.path: f.other_path for f in findings if f.kind == "duplicate"}
    return tuple(
        sample.model_copy(update={"group": first.get(sample.id, sample.group)})
        for sample in samples
        if sample.id not in dropped
    )


def _not_images(dataset: Artefact) -> list[Finding]:
    """Carry over what import found to be no image."""
    rows = read_table(dataset.path / SET_ASIDE)
    return [
        Finding.model_validate({"kind": row["kind"], "path": row["path"], "reason": row["reason"]})
        for row in rows
        if row["kind"] in {"not_an_image", "unreadable"}
    ]


def _unreadable(draft: Draft, manifest: Manifest, track: Track) -> list[Finding]:
    """Decode every image, remembering finished chunks for a resumed run."""
    samples = manifest.samples
    findings: list[Finding] = []
    starts = range(0, len(samples), CHUNK)
    for start in track(starts, len(starts), f"curate ({CHUNK} images a step)"):

        def decode(start: int = start) -> str:
            chunk = samples[start : start + CHUNK]
            found = [find_unreadable(manifest.root, sample) for sample in chunk]
            return json.dumps([f.model_dump() for f in found if f is not None])

        text = draft.remember(f"decoded-{start}.json", decode)
        findings += [Finding(**fields) for fields in json.loads(text)]
    return findings
