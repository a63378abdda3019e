"""Import: every file of a folder or zip becomes a sample or is set aside with a reason.

Files of a folder stay where they are; a zip is unpacked into the artefact. Nothing is decoded here
beyond the header; whether an image can be read in full is for ``curate`` to find out.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from naturalize import images
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets import image_folder, pbc
from naturalize.datasets.manifest import (
    SAMPLES,
    SET_ASIDE,
    root_entry,
    samples_table,
    write_table,
)
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError, NotAnImageError
from naturalize.progress import Track, quiet

CHUNK = 1000
MAX_UNPACKED_BYTES = 50 * 2**30
MAX_FILE_BYTES = 256 * 2**20
_CLASHES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


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


def import_dataset(
    source: Path,
    out: Path,
    *,
    layout: str | None = None,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``dataset`` artefact of the images below ``source`` (a folder or a zip).

    ``layout`` is a key of :data:`LAYOUTS`, by default found out from the folder names. The summary
    counts samples by class and what was set aside by kind (``unlabelled``, ``not_an_image``).
    """
    if layout is not None and layout not in LAYOUTS:
        raise InputError("--as", " or ".join(LAYOUTS), layout)
    if not (source.is_dir() or source.is_file()):
        got = "something else" if source.exists() else "nothing there"
        raise InputError(f"source {source}", "a folder or a zip file", got)
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"output {out}", "a folder outside the source", f"one in {source}")

    def write(draft: Draft) -> None:
        if source.is_dir():
            root = source / "images" if _is_phantom(source) else _descend(source)
            entry = root_entry(root, out)
        else:
            _unpack(source, draft, track)
            root = _descend(draft.path / "images")
            entry = root.relative_to(draft.path).as_posix()
        _describe(draft, root, entry, layout, track)

    request = Request("dataset", {"layout": layout or "auto", "source": _fingerprint(source)})
    return build(out, request, write, if_exists=if_exists)


def _describe(draft: Draft, root: Path, entry: str, layout: str | None, track: Track) -> None:
    """Look at every file below ``root`` and write the tables and the summary."""
    names = sorted(_files(root))
    if not names:
        raise InputError(f"source {root}", "a folder with images", "an empty folder")
    chosen = LAYOUTS[layout or _detect(root, names)]
    samples: list[Sample] = []
    aside: list[tuple[str, str, str]] = []
    chunks = [names[i : i + CHUNK] for i in range(0, len(names), CHUNK)]
    for number, chunk in enumerate(track(chunks, len(chunks), "import (1000 files a step)")):
        text = draft.remember(f"files-{number}.json", lambda c=chunk: _examine(root, c, chosen))  # type: ignore[misc]
        looked = json.loads(text)
        samples += [Sample(**fields) for fields in looked["samples"]]
        aside += [tuple(row) for row in looked["set_aside"]]
    classes = sorted({sample.label for sample in samples})
    if len(classes) < 2:
        got = f"{len(samples)} in {len(classes)}" + (f" ({classes[0]})" if classes else "")
        raise InputError(f"source {root}", "labelled images in at least two classes", got)
    draft.write(SAMPLES, samples_table(samples))
    draft.write(SET_ASIDE, write_table(["path", "kind", "reason"], aside))
    draft.summary.update(
        classes=classes,
        root=entry,
        layout=chosen.name,
        licence=chosen.licence,
        files=len(names),
        counts=dict(sorted(Counter(sample.label for sample in samples).items())),
        set_aside=dict(Counter(kind for _, kind, _ in aside)),
    )


def _examine(root: Path, names: list[str], layout: Layout) -> str:
    """Return JSON of the samples among ``names`` and of those set aside."""
    samples: list[dict[str, object]] = []
    aside: list[tuple[str, str, str]] = []
    for name in names:
        path = PurePosixPath(name)
        label = layout.label_of(path)
        try:
            refused = _refused(root / name)
            if refused:
                aside.append((name, "not_an_image", refused))
                continue
            data = (root / name).read_bytes()
            height_px, width_px = images.size(data, name=name)
        except NotAnImageError:
            aside.append((name, "not_an_image", "its first bytes are no image format's"))
            continue
        except ImageError:
            height_px = width_px = 0
        except OSError as error:
            aside.append((name, "unreadable", str(error.strerror)))
            continue
        if label is None:
            aside.append((name, "unlabelled", f"the {layout.name} layout gives it no class"))
            continue
        sample = Sample(
            id=name,
            label=label,
            group=name,
            source=layout.source,
            height_px=height_px,
            width_px=width_px,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        samples.append(sample.model_dump())
    return json.dumps({"samples": samples, "set_aside": aside})


def _refused(file: Path) -> str:
    """Return why a file is not even opened, or nothing."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    return "larger than 256 MiB" if status.st_size > MAX_FILE_BYTES else ""


def _files(root: Path) -> Iterator[str]:
    """Yield the POSIX paths of all files below ``root``, not following links to folders."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = [s for s in subfolders if not s.startswith(".") and s != "__MACOSX"]
        for file in files:
            yield (Path(folder) / file).relative_to(root).as_posix()


def _descend(root: Path) -> Path:
    """Step into folders that hold nothing but one folder, as zips of a data set do."""
    entries = list(root.iterdir())
    while len(entries) == 1 and entries[0].is_dir():
        inner = list(entries[0].iterdir())
        if not any(entry.is_dir() for entry in inner):
            break
        root, entries = entries[0], inner
    return root


def _detect(root: Path, names: list[str]) -> str:
    """Return the layout the folder names speak for."""
    folders = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    if pbc.looks_like(folders) and any(pbc.label_of(PurePosixPath(n)) for n in names):
        return "pbc"
    return "phantom" if _is_phantom(root.parent) else "folder"


def _is_phantom(folder: Path) -> bool:
    """Whether ``folder`` is what ``naturalize phantom`` writes."""
    return all((folder / name).exists() for name in ("images", "cells.csv", "slides.csv"))


def _fingerprint(source: Path) -> str:
    """Digest names and sizes of the source, to know whether a resumed import is the same.

    The artefact's id rests on its content; this only tells two requests apart.
    """
    total = hashlib.sha256()
    if source.is_file():
        return f"zip:{source.stat().st_size}"
    for name in sorted(_files(source)):
        line = f"{name}\0{(source / name).lstat().st_size}\n"
        total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()[:16]


def _unpack(source: Path, draft: Draft, track: Track) -> None:
    """Unpack a zip below the draft's ``images`` folder; refuse entries that would leave it."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = _entries(archive, source)
            for entry in track(entries, len(entries), "unpack"):
                name = f"images/{PurePosixPath(entry.filename)}"
                if not draft.has(name):
                    draft.write(name, archive.read(entry))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"source {source}", "a folder or a whole, open zip file", error) from error
    except OSError as error:
        if error.errno not in _CLASHES:
            raise
        got = f"{error.strerror}: {Path(str(error.filename)).name[:60]}"
        raise InputError(f"source {source}", "names this system can hold", got) from error


def _entries(archive: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a zip, none of which leaves its folder or bursts."""
    entries = []
    for entry in archive.infolist():
        name = PurePosixPath(entry.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in entry.filename:
            raise InputError(f"source {source}", "entries inside the zip", entry.filename)
        if entry.file_size > MAX_FILE_BYTES:
            raise InputError(f"source {source}", "files of at most 256 MiB", entry.filename)
        if not entry.is_dir() and name.parts[:1] not in ((), ("__MACOSX",)):
            entries.append(entry)
    if not entries:
        raise InputError(f"source {source}", "a zip with images", "an empty one")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise InputError(f"source {source}", "a zip of at most 50 GiB unpacked", "more")
    return entries
