"""Split a curated data set before anything is cut out of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.curate.finding import TABLE as FINDINGS
from naturalize.datasets.manifest import Manifest, read_table, root_entry, samples_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.split.by_group import assign_sides, cap_per_class
from naturalize.split.folds import Fold, fold_sides
from naturalize.split.found_pairs import found_pairs
from naturalize.split.leak_check import leak_check
from naturalize.split.split import SIDES, TABLE, RealSplit

FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
GROUP_RULE = (
    "images share a group, and a side, if they hold the same bytes or the same picture (encoded "
    "again, resized, turned), show one slide region, were imported as one group (crops of a field, "
    "a table's column) or were grouped by a decision"
)


def make_split(
    curated: Artefact,
    out: Path,
    *,
    seed: int = 0,
    cap: int | None = None,
    fold: Fold | None = None,
    frozen: Path | None = None,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Write a ``split`` artefact, stratified by class, groups kept whole, 80/10/10 by default.

    ``cap`` keeps at most so many images of a class. ``fold`` makes it one of several that test each
    image once. ``frozen`` is a table with columns ``id`` and ``side`` (an earlier ``split.csv``):
    its sides are taken as they are, images it does not name are left out and counted. The result
    is proven with ``leak_check`` before it is written; its summary counts the pairs that would have
    been parted had nobody known the groups. A ``dataset`` that nobody curated has no such pairs.
    """
    _refuse_both(cap, fold, frozen)
    manifest = Manifest.load(curated)
    findings = read_table(curated.path / FINDINGS) if curated.kind == "curated" else []
    fixed = _frozen_sides(frozen) if frozen is not None else None

    def deal(samples: Sequence[Sample]) -> dict[str, str]:
        if fold is not None:
            return fold_sides(samples, fold, seed=seed)
        return assign_sides(samples, seed=seed, fractions=FRACTIONS)

    def write(draft: Draft) -> None:
        samples = manifest.samples
        if fixed is not None:
            samples = _named(fixed, samples, frozen)
        if cap is not None:
            samples = cap_per_class(samples, cap, seed=seed)
        sides = deal(samples) if fixed is None else fixed
        try:
            _write(draft, samples, sides, manifest, out)
        except LeakError as error:
            if fixed is None:
                raise
            hint = "leave all but one side of each out of the table, or draw a new split"
            raise LeakError(f"--from {frozen}: {error}; {hint}") from error
        alone = [sample.model_copy(update={"group": sample.id}) for sample in samples]
        draft.summary["found_pairs"] = found_pairs(samples, findings, sides, deal(alone))

    parameters = {"cap": cap, "frozen": _digest(fixed) if fixed is not None else None}
    folded = {"fold": asdict(fold)} if fold is not None else {}
    request = Request("split", {**parameters, **folded}, {"curated": curated}, seed)
    return build(out, request, write, if_exists=if_exists)


def _refuse_both(cap: int | None, fold: Fold | None, frozen: Path | None) -> None:
    """Refuse arguments that contradict each other."""
    if cap is not None and cap < 3:
        raise InputError("--cap", "at least 3 images a class", cap)
    for name, value in {"--cap": cap, "--folds": fold}.items():
        if value is not None and frozen is not None:
            raise InputError(name, "nothing beside --from, which says who stands where", value)


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
                expected = f"at least one image in {side}"
                got = (
                    "none, since its images share groups with others; add images or use a new seed"
                )
                raise InputError(f"class {label}", expected, got)
    leak_check(RealSplit("draft", manifest.root, classes, **by_side))
    draft.write(TABLE, samples_table(samples, extra=sides))
    draft.summary.update(
        classes=list(classes),
        root=root_entry(manifest.root, out),
        counts={side: {label: labels[side][label] for label in classes} for side in SIDES},
        left_out=len(manifest.samples) - len(samples),
        group_rule=GROUP_RULE,
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


def _named(
    sides: Mapping[str, str], samples: Sequence[Sample], path: Path | None
) -> tuple[Sample, ...]:
    """Return the samples a frozen split names; refuse if it names images that are not there."""
    missing = sorted(sides.keys() - {sample.id for sample in samples})
    if missing:
        raise InputError(
            f"--from {path}",
            "images of this data set only",
            f"{len(missing)} it does not hold, for example {missing[0]}",
        )
    return tuple(sample for sample in samples if sample.id in sides)
