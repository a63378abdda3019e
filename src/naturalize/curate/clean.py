"""Curate: collect findings, drop what cannot be used, group what must stay on one side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.curate.decision_page import PAGE, decision_page
from naturalize.curate.decisions import TABLE as DECISIONS
from naturalize.curate.decisions import (
    Decision,
    decisions_table,
    read_decisions,
    refuse_unusable,
)
from naturalize.curate.find_all import find_all
from naturalize.curate.finding import TABLE as FINDINGS
from naturalize.curate.finding import Finding, findings_table
from naturalize.curate.label_suspect import find_label_suspects
from naturalize.curate.leak_groups import regroup
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
from naturalize.predictions import Predictions
from naturalize.progress import Track, quiet

PRESETS: dict[str, tuple[str, ...]] = {
    "minimal": ("unreadable", "not_an_image", "label_conflict"),
    "paper": ("unreadable", "not_an_image", "label_conflict", "multicell", "fragment"),
}


def curate(
    dataset: Artefact,
    out: Path,
    *,
    preset: str = "minimal",
    decisions: Path | None = None,
    predictions: Sequence[Path] = (),
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``curated`` artefact: findings, the page to decide on, and the samples that are left.

    ``preset`` is a key of :data:`PRESETS`; it says which kinds of finding drop an image. Copies,
    near-duplicates and images of one slide region stay and share a group, so that no split can
    part them. ``decisions`` is a table as :mod:`naturalize.curate.decisions` says, which beats the
    preset. ``predictions`` are files of a model about images it had not seen; they add label
    suspects. The number of ``workers`` changes the time, not the result.
    """
    if preset not in PRESETS:
        raise InputError("--preset", " or ".join(PRESETS), preset)
    manifest = Manifest.load(dataset)
    labels = {sample.id: sample.label for sample in manifest.samples}
    decided = _decided(decisions, manifest)
    suspects = [
        f for file in predictions for f in find_label_suspects(labels, Predictions.load(file))
    ]

    def write(draft: Draft) -> None:
        findings = _not_images(dataset)
        findings += find_all(manifest, draft, workers=workers, track=track)
        findings += suspects
        refuse_unusable(decided, findings)
        kept = settle(manifest.samples, findings, dropping=PRESETS[preset], decisions=decided)
        draft.write(FINDINGS, findings_table(findings))
        draft.write(DECISIONS, decisions_table(decided.values()))
        draft.write(SAMPLES, samples_table(kept))
        page = decision_page(
            manifest,
            findings,
            dropping=PRESETS[preset],
            decisions=decided,
            workers=workers,
            track=track,
        )
        draft.write(PAGE, page)
        draft.summary.update(
            _summary(manifest, findings, kept, decided), root=root_entry(manifest.root, out)
        )

    parameters = {
        "preset": preset,
        "decisions": _digest(decisions_table(decided.values()).encode(errors="surrogateescape")),
        "predictions": [_digest(file.read_bytes()) for file in predictions],
    }
    request = Request("curated", parameters, {"dataset": dataset})
    return build(out, request, write, if_exists=if_exists)


def settle(
    samples: Sequence[Sample],
    findings: Sequence[Finding],
    *,
    dropping: Collection[str],
    decisions: Mapping[str, Decision],
) -> tuple[Sample, ...]:
    """Return the samples that stay, with their classes and leak groups.

    A sample goes if a finding of a kind in ``dropping`` names it, unless a decision says otherwise.
    """
    dropped = {finding.path for finding in findings if finding.kind in dropping}
    dropped -= decisions.keys()
    dropped |= {d.path for d in decisions.values() if d.decision == "drop"}
    groups = regroup(samples, findings, {d.path: d.group for d in decisions.values() if d.group})
    labels = {d.path: d.label for d in decisions.values() if d.label}
    return tuple(
        sample.model_copy(
            update={"label": labels.get(sample.id, sample.label), "group": groups[sample.id]}
        )
        for sample in samples
        if sample.id not in dropped
    )


def _summary(
    manifest: Manifest,
    findings: Sequence[Finding],
    kept: Sequence[Sample],
    decided: Mapping[str, Decision],
) -> dict[str, object]:
    """Return what was found, decided and kept, in numbers."""
    counts = Counter(sample.label for sample in kept)
    return {
        "classes": [label for label in manifest.classes if counts[label]],
        "counts": {label: counts[label] for label in manifest.classes},
        "findings": dict(Counter(finding.kind for finding in findings)),
        "decisions": dict(Counter(decision.decision for decision in decided.values())),
        "dropped": len(manifest.samples) - len(kept),
        "groups": len({sample.group for sample in kept}),
    }


def _decided(file: Path | None, manifest: Manifest) -> dict[str, Decision]:
    if file is None:
        return {}
    paths = {sample.id for sample in manifest.samples}
    return read_decisions(file, paths=paths, classes=manifest.classes)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _not_images(dataset: Artefact) -> list[Finding]:
    """Carry over what import found to be no image."""
    rows = read_table(dataset.path / SET_ASIDE)
    return [
        Finding.model_validate({"kind": row["kind"], "path": row["path"], "reason": row["reason"]})
        for row in rows
        if row["kind"] in {"not_an_image", "unreadable"}
    ]
