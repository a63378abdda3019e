"""Compare the files at hand with the index of a public data set: missing, extra, altered."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from naturalize.artefact import MANIFEST, open_artefact
from naturalize.datasets.file_tree import descend, list_files, read_regular
from naturalize.datasets.manifest import data_root
from naturalize.datasets.public_index import IndexEntry
from naturalize.datasets.unzip import DAMAGED, opened_zip
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_FILES_PER_STEP = 1000

Difference = tuple[str, str]
"""A path and a sentence on what is the matter with it."""


@dataclass(frozen=True)
class Verification:
    """How files compare with an index; each difference is a path and what is the matter with it.

    ``same`` counts files of the right name, size and bytes. An extra file that holds the bytes of
    an indexed one says so: it was moved or renamed, and in PBC the name is the class.
    """

    expected: int
    same: int
    missing: tuple[Difference, ...]
    extra: tuple[Difference, ...]
    altered: tuple[Difference, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, extra or altered."""
        return not (self.missing or self.extra or self.altered)


@dataclass(frozen=True)
class _Seen:
    """One file at hand: size and sha256, or why it could not be read."""

    path: str
    size: int
    sha256: str
    trouble: str = ""


def verify(
    target: Path, index: Sequence[IndexEntry], *, workers: int = 1, track: Track = quiet
) -> Verification:
    """Compare a folder, a zip or a ``dataset`` artefact with ``index`` by name, size and sha256.

    A zip is read, not unpacked. Folders round the whole data set are stepped into; what systems
    leave behind (:data:`LITTER`, ``__MACOSX``) does not count. The result does not depend on
    ``workers``.
    """
    if target.is_dir():
        root, is_zip = _folder(target), False
        names, troubles = _names(root)
    elif target.is_file():
        root, is_zip = target, True
        with opened_zip(target) as (_, entries):
            names, troubles = [entry.filename for entry in entries], []
    else:
        raise InputError(str(target), "a data set, a folder or a zip file", "nothing there")
    names = [name for name in names if PurePosixPath(name).name not in LITTER]
    steps = [
        (str(root), is_zip, names[start : start + _FILES_PER_STEP])
        for start in range(0, len(names), _FILES_PER_STEP)
    ]
    done = run_all(_look, steps, workers=workers)
    what = f"verify ({_FILES_PER_STEP} files a step)"
    seen = [one for step in track(done, len(steps), what) for one in step]
    return _compare([*_stripped(seen, index), *troubles], index)


def _folder(target: Path) -> Path:
    """Return the data root of a data set, or the folder itself."""
    if (target / MANIFEST).is_file():
        return data_root(open_artefact(target, "dataset"))
    return descend(target)


def _names(root: Path) -> tuple[list[str], list[_Seen]]:
    tree = list_files(root)
    return list(tree.names), [_Seen(path, 0, "", reason) for path, _, reason in tree.aside]


def _look(step: tuple[str, bool, list[str]]) -> list[_Seen]:
    """Digest some files of a folder or of a zip."""
    root, is_zip, names = step
    if not is_zip:
        return [_look_at(Path(root), name) for name in names]
    with opened_zip(Path(root)) as (archive, _):
        return [_look_into(archive, name) for name in names]


def _look_at(root: Path, name: str) -> _Seen:
    try:
        data, refused = read_regular(root / name)
    except OSError as error:
        return _Seen(name, 0, "", f"cannot be read: {error.strerror or error}")
    if refused:
        return _Seen(name, 0, "", refused)
    return _Seen(name, len(data), hashlib.sha256(data).hexdigest())


def _look_into(archive: zipfile.ZipFile, name: str) -> _Seen:
    try:
        data = archive.read(name)
    except DAMAGED as error:
        return _Seen(name, 0, "", f"cannot be read: {error}")
    return _Seen(name, len(data), hashlib.sha256(data).hexdigest())


def _stripped(seen: Iterable[_Seen], index: Sequence[IndexEntry]) -> list[_Seen]:
    """Cut off the folders that all files share and the index does not know."""
    seen = list(seen)
    known = {PurePosixPath(entry.path).parts[0] for entry in index}
    shared = os.path.commonpath([one.path for one in seen]) if len(seen) > 1 else ""
    depth = 0
    for part in PurePosixPath(shared).parts:
        if part in known:
            break
        depth += 1
    cut = [PurePosixPath(*PurePosixPath(one.path).parts[depth:]).as_posix() for one in seen]
    return [replace(one, path=path) for one, path in zip(seen, cut, strict=True)]


def _compare(seen: Iterable[_Seen], index: Sequence[IndexEntry]) -> Verification:
    expected = {entry.path: entry for entry in index}
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for entry in index:
        homes[entry.sha256].append(entry.path)
    found: set[str] = set()
    same, extra, altered = 0, list[Difference](), list[Difference]()
    for one in seen:
        known = expected.get(one.path)
        if known is None:
            moved = homes.get(one.sha256, ())
            said = f"the bytes of {' and '.join(moved)}" if moved else "not in the index"
            extra.append((one.path, one.trouble or said))
            continue
        found.add(one.path)
        wrong = _wrong(one, known)
        same += not wrong
        if wrong:
            altered.append((one.path, wrong))
    missing = [(path, "not there") for path in expected if path not in found]
    return Verification(
        len(expected), same, *(tuple(sorted(rows)) for rows in (missing, extra, altered))
    )


def _wrong(one: _Seen, entry: IndexEntry) -> str:
    if one.trouble:
        return one.trouble
    if one.size != entry.size:
        return f"{one.size:,} bytes instead of {entry.size:,}"
    return "" if one.sha256 == entry.sha256 else "other bytes of the same number"
