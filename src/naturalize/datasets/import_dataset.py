"""Import: every file of a folder, zip or table becomes a sample or is set aside with a reason.

Files of a folder stay where they are; a zip is unpacked into the artefact, and crops of fields of
view are written there. Nothing but a field is decoded here beyond the header; whether an image can
be read in full is for ``curate`` to find out.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from naturalize import images
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets import image_folder, pbc
from naturalize.datasets.coco import read_coco
from naturalize.datasets.crops import CropPlan, write_crops
from naturalize.datasets.examine import FileFacts, examine_files
from naturalize.datasets.field_of_view import FieldOfView
from naturalize.datasets.file_tree import FileTree, SetAside, descend, list_files
from naturalize.datasets.label_table import Labelled, read_label_table
from naturalize.datasets.manifest import (
    SAMPLES,
    SET_ASIDE,
    root_entry,
    samples_table,
    write_table,
)
from naturalize.datasets.sample import Sample
from naturalize.datasets.unzip import opened_zip, unzip
from naturalize.datasets.voc import read_voc
from naturalize.errors import InputError
from naturalize.progress import Track, quiet


@dataclass(frozen=True)
class Layout:
    """How file names carry classes: ``label_of`` a path below the root, or None."""

    name: str
    label_of: Callable[[PurePosixPath], str | None]
    source: str
    licence: str


LAYOUTS: dict[str, Layout] = {
    "pbc": Layout("pbc", pbc.label_of, "PBC", pbc.LICENCE),
    "folder": Layout("folder", image_folder.label_of, "", "unknown"),
    "phantom": Layout("phantom", image_folder.label_of, "phantom", "CC0-1.0"),
}
FIELD_LAYOUTS: dict[
    str, Callable[[Path, Sequence[str]], tuple[list[FieldOfView], list[SetAside]]]
] = {"voc": read_voc, "coco": read_coco}
TABLE_LAYOUT = "csv"
NAMES = (*LAYOUTS, TABLE_LAYOUT, *FIELD_LAYOUTS)


@dataclass(frozen=True)
class _Found:
    """What an import found: how files are laid out, how many, and what became of each."""

    layout: str
    licence: str
    files: int
    samples: list[Sample]
    aside: list[SetAside]


def import_dataset(
    source: Path,
    out: Path,
    *,
    layout: str | None = None,
    crops: CropPlan | None = None,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``dataset`` artefact of the images below ``source`` (a folder or a zip).

    ``layout`` is one of :data:`NAMES`, by default found out from the folder names; with ``csv`` the
    source is a table (see :mod:`naturalize.datasets.label_table`), with ``voc`` and ``coco`` it
    holds fields of view, of which ``crops`` are cut. The summary counts samples by class and what
    was set aside by kind (``unlabelled``, ``not_an_image``, ``unreadable`` and those of crops).
    """
    if layout is None and source.suffix.lower() == ".csv" and source.is_file():
        layout = TABLE_LAYOUT
    _check(source, out, layout, crops)

    def write(draft: Draft) -> None:
        if layout == TABLE_LAYOUT:
            _describe(draft, source, root_entry(source.parent, out), _table(draft, source, track))
        elif layout in FIELD_LAYOUTS and crops is not None:
            root = _root(source, draft, "fields", track)
            _describe(draft, source, "images", _fields(draft, root, layout, crops, track))
        else:
            root = _root(source, draft, "images", track)
            inside = root.is_relative_to(draft.path)
            entry = root.relative_to(draft.path).as_posix() if inside else root_entry(root, out)
            _describe(draft, source, entry, _files(draft, root, layout, track))

    parameters = {"layout": layout or "auto", "source": _fingerprint(source, layout)}
    if crops is not None:
        parameters["crops"] = json.dumps(asdict(crops))
    return build(out, Request("dataset", parameters), write, if_exists=if_exists)


def _check(source: Path, out: Path, layout: str | None, crops: CropPlan | None) -> None:
    """Refuse arguments that cannot be, before anything is read."""
    if layout is not None and layout not in NAMES:
        raise InputError("--as", " or ".join(NAMES), layout)
    if not (source.is_dir() or source.is_file()):
        got = "something else" if source.exists() else "nothing there"
        raise InputError(f"source {source}", "a folder, a zip file or a CSV table", got)
    if layout == TABLE_LAYOUT and not source.is_file():
        raise InputError("--as csv", "a CSV file of paths and labels", f"the folder {source}")
    if layout in FIELD_LAYOUTS and crops is None:
        others = " or ".join((*LAYOUTS, TABLE_LAYOUT))
        expected = f"{others}, or --crops too, since a field of view has no class of its own"
        raise InputError("--as", expected, layout)
    if crops is not None and layout not in FIELD_LAYOUTS:
        raise InputError("--crops", f"--as {' or '.join(FIELD_LAYOUTS)}", layout or "none")
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"output {out}", "a folder outside the source", f"one in {source}")


def _root(source: Path, draft: Draft, folder: str, track: Track) -> Path:
    """Return the folder of the data, unpacked into the draft where the source is a zip."""
    if source.is_file():
        unzip(source, draft, folder, track)
        return descend(draft.path / folder)
    return source / "images" if _is_phantom(source) else descend(source)


def _files(draft: Draft, root: Path, layout: str | None, track: Track) -> _Found:
    """Import a folder whose names carry the classes."""
    tree = _listed(root)
    chosen = LAYOUTS[layout or _detect(root, tree.names)]
    facts, aside = examine_files(draft, root, tree.names, track)

    def labelled(name: str) -> Labelled:
        return Labelled(chosen.label_of(PurePosixPath(name)) or "", name)

    samples, unlabelled = _samples(facts, labelled, chosen.name, chosen.source)
    aside = [*tree.aside, *aside, *unlabelled]
    return _Found(chosen.name, chosen.licence, len(tree.names), samples, aside)


def _table(draft: Draft, table: Path, track: Track) -> _Found:
    """Import the files a table names."""
    rows = read_label_table(table)
    facts, aside = examine_files(draft, table.parent, sorted(rows), track)
    samples, unlabelled = _samples(facts, rows.__getitem__, TABLE_LAYOUT, "")
    return _Found(TABLE_LAYOUT, "unknown", len(rows), samples, [*aside, *unlabelled])


def _fields(draft: Draft, root: Path, layout: str, crops: CropPlan, track: Track) -> _Found:
    """Import crops of fields of view."""
    tree = _listed(root)
    fields, aside = FIELD_LAYOUTS[layout](root, tree.names)
    samples, uncut = write_crops(draft, root, fields, crops, track)
    described = {field.name for field in fields}
    bare = [
        (name, "unlabelled", "no annotation names it")
        for name in tree.names
        if name not in described and PurePosixPath(name).suffix.lower() in images.SUFFIXES
    ]
    aside = [*tree.aside, *aside, *bare, *uncut]
    return _Found(layout, "unknown", len(tree.names), samples, aside)


def _samples(
    facts: Iterable[FileFacts], labelled: Callable[[str], Labelled], layout: str, source: str
) -> tuple[list[Sample], list[SetAside]]:
    """Turn files into samples; set aside those without a label."""
    samples: list[Sample] = []
    aside: list[SetAside] = []
    for one in facts:
        found = labelled(one.name)
        if not found.label.isprintable():
            aside.append((one.name, "unlabelled", "the name of its class cannot be printed"))
            continue
        if not found.label:
            aside.append((one.name, "unlabelled", f"the {layout} layout gives it no class"))
            continue
        sample = Sample(
            id=one.name,
            label=found.label,
            group=found.group,
            source=source,
            height_px=one.height_px,
            width_px=one.width_px,
            sha256=one.sha256,
        )
        samples.append(sample)
    return samples, aside


def _describe(draft: Draft, source: Path, entry: str, found: _Found) -> None:
    """Write the tables and the summary."""
    counts = Counter(sample.label for sample in found.samples)
    kinds = Counter(kind for _, kind, _ in found.aside)
    if len(counts) < 2:
        got = f"{len(found.samples)} in {len(counts)}" + (f" ({min(counts)})" if counts else "")
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
        got += f"; set aside: {told}" if told else ""
        raise InputError(f"source {source}", "labelled images in at least two classes", got)
    draft.write(SAMPLES, samples_table(found.samples))
    draft.write(SET_ASIDE, write_table(["path", "kind", "reason"], found.aside))
    draft.summary.update(
        classes=sorted(counts),
        root=entry,
        layout=found.layout,
        licence=found.licence,
        files=found.files,
        counts=dict(sorted(counts.items())),
        set_aside=dict(kinds),
    )


def _listed(root: Path) -> FileTree:
    tree = list_files(root)
    if not tree.names:
        raise InputError(f"source {root}", "a folder with images", "an empty folder")
    return tree


def _detect(root: Path, names: Iterable[str]) -> str:
    """Return the layout the folder names speak for."""
    names = list(names)
    folders = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    if pbc.looks_like(folders) and any(pbc.label_of(PurePosixPath(n)) for n in names):
        return "pbc"
    return "phantom" if _is_phantom(root.parent) else "folder"


def _is_phantom(folder: Path) -> bool:
    """Whether ``folder`` is what ``naturalize phantom`` writes."""
    return all((folder / name).exists() for name in ("images", "cells.csv", "slides.csv"))


def _fingerprint(source: Path, layout: str | None) -> str:
    """Digest names and sizes of the source, to know whether a resumed import is the same.

    The artefact's id rests on its content; this only tells two requests apart.
    """
    total = hashlib.sha256()
    if layout == TABLE_LAYOUT:
        return f"csv:{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if source.is_file():
        with opened_zip(source) as (_, entries):
            lines = [f"{e.filename}\0{e.file_size}\0{e.CRC}\n" for e in entries]
    else:
        lines = [f"{name}\0{_bytes(source / name)}\n" for name in list_files(source).names]
    for line in lines:
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()[:16]


def _bytes(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:  # it vanished; looking at it will say so
        return 0
