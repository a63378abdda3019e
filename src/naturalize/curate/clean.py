"""Curate: collect findings, drop what cannot be used, group what must stay on one side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.curate.find_all import find_all
from naturalize.curate.finding import TABLE, Finding, findings_table
from naturalize.curate.leak_groups import leak_groups
from naturalize.datasets.manifest import (
    SAMPLES,
    SET_ASIDE,
    Manifest,
    read_table,
    root_entry,
    samples_table,
)
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.progress import Track, quiet

PRESETS: dict[str, tuple[str, ...]] = {
    "minimal": ("unreadable", "not_an_image", "label_conflict"),
}


def curate(
    dataset: Artefact,
    out: Path,
    *,
    preset: str = "minimal",
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``curated`` artefact: ``findings.csv`` and the samples that are left.

    ``preset`` is a key of :data:`PRESETS`; it says which kinds of finding drop an image. Copies,
    near-duplicates and images of one slide region stay and share a group, so that no split can
    part them. The number of ``workers`` changes the time, not the result.
    """
    if preset not in PRESETS:
        raise InputError("--preset", " or ".join(PRESETS), preset)
    manifest = Manifest.load(dataset)

    def write(draft: Draft) -> None:
        findings = _not_images(dataset)
        findings += find_all(manifest, draft, workers=workers, track=track)
        kept = regroup(manifest.samples, findings, dropping=PRESETS[preset])
        draft.write(TABLE, findings_table(findings))
        draft.write(SAMPLES, samples_table(kept))
        counts = Counter(sample.label for sample in kept)
        draft.summary.update(
            classes=[label for label in manifest.classes if counts[label]],
            root=root_entry(manifest.root, out),
            counts={label: counts[label] for label in manifest.classes},
            findings=dict(Counter(finding.kind for finding in findings)),
            dropped=len(manifest.samples) - len(kept),
            groups=len({sample.group for sample in kept}),
        )

    request = Request("curated", {"preset": preset}, {"dataset": dataset})
    return build(out, request, write, if_exists=if_exists)


def regroup(
    samples: Sequence[Sample], findings: Sequence[Finding], *, dropping: Collection[str]
) -> tuple[Sample, ...]:
    """Return the samples no finding of a kind in ``dropping`` names, with their leak groups."""
    dropped = {finding.path for finding in findings if finding.kind in dropping}
    groups = leak_groups(samples, findings)
    return tuple(
        sample.model_copy(update={"group": groups[sample.id]})
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
