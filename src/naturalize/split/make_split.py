"""Split a curated data set before anything is cut out of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets.manifest import Manifest, read_table, root_entry, samples_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.split.by_group import assign_sides, cap_per_class
from naturalize.split.leak_check import leak_check
from naturalize.split.split import SIDES, TABLE, RealSplit

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}


def make_split(
    curated: Artefact,
    out: Path,
    *,
    seed: int = 0,
    cap: int | None = None,
    frozen: Path | None = None,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Write a ``split`` artefact, 80/10/10, stratified by class, groups kept whole.

    ``cap`` keeps at most so many images of a class. ``frozen`` is a table with columns ``id`` and
    ``side`` (an earlier ``split.csv``): its sides are taken as they are, images it does not name
    are left out and counted. The result is proven with ``leak_check`` before it is written.
    """
    if cap is not None and cap < 3:
        raise InputError("--cap", "at least 3 images a class", cap)
    if cap is not None and frozen is not None:
        raise InputError("--cap", "nothing beside --from, which says who stands where", cap)
    manifest = Manifest.load(curated)
    fixed = _frozen_sides(frozen) if frozen is not None else None

    def write(draft: Draft) -> None:
        samples = manifest.samples
        if fixed is not None:
            samples, sides = _apply(fixed, samples, frozen)
        if cap is not None:
            samples = cap_per_class(samples, cap, seed=seed)
        if fixed is None:
            sides = assign_sides(samples, seed=seed, fractions=FRACTIONS)
        _write(draft, samples, sides, manifest, out)

    parameters = {"cap": cap, "frozen": _digest(fixed) if fixed is not None else None}
    request = Request("split", parameters, {"curated": curated}, seed)
    return build(out, request, write, if_exists=if_exists)


def _write(
    draft: Draft,
    samples: Sequence[Sample],
    sides: Mapping[str, str],
    manifest: Manifest,
    out: Path,
) -> None:
    by_side = {side: tuple(s for s in samples if sides[s.id] == side) for side in SIDES}
    labels = {side: Counter(s.label for s in members) for side, members in by_side.items()}
    classes = tuple(label for label in manifest.classes if any(labels[s][label] for s in SIDES))
    for label in classes:
        for side in SIDES:
            if not labels[side][label]:
                raise InputError(f"class {label}", f"at least one image in {side}", "none")
    leak_check(RealSplit("draft", manifest.root, classes, **by_side))
    draft.write(TABLE, samples_table(samples, extra=sides))
    draft.summary.update(
        classes=list(classes),
        root=root_entry(manifest.root, out),
        counts={side: {label: labels[side][label] for label in classes} for side in SIDES},
        left_out=len(manifest.samples) - len(samples),
        group_rule="files with the same bytes share a group",
    )


def _digest(sides: Mapping[str, str]) -> str:
    """Return a digest of who stands where, whatever the order of the table."""
    lines = "".join(f"{name}\t{side}\n" for name, side in sorted(sides.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _frozen_sides(path: Path) -> dict[str, str]:
    rows = read_table(path)
    if not rows or not {"id", "side"} <= rows[0].keys():
        raise InputError(f"--from {path}", "a table with columns id and side", "another table")
    sides = {row["id"]: row["side"] for row in rows}
    unknown = set(sides.values()) - set(SIDES)
    if unknown:
        raise InputError(f"--from {path}", "sides train, val, test", ", ".join(sorted(unknown)))
    return sides


def _apply(
    sides: Mapping[str, str], samples: Sequence[Sample], path: Path | None
) -> tuple[tuple[Sample, ...], Mapping[str, str]]:
    """Return the samples a frozen split names; refuse if it names images that are not there."""
    missing = sorted(sides.keys() - {sample.id for sample in samples})
    if missing:
        raise InputError(
            f"--from {path}",
            "images of this data set only",
            f"{len(missing)} it does not hold, for example {missing[0]}",
        )
    return tuple(sample for sample in samples if sample.id in sides), sides
