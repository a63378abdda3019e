"""Every file below a folder: what can be read, and what cannot with its reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_FILE_BYTES = 256 * 2**20
_SKIPPED = "__MACOSX"

SetAside = tuple[str, str, str]
"""A path, a kind (such as ``unreadable``) and a sentence for a person."""


@dataclass(frozen=True)
class FileTree:
    """The POSIX paths of all files below ``root``, sorted, and folders that were not entered."""

    root: Path
    names: tuple[str, ...]
    aside: tuple[SetAside, ...]


def list_files(root: Path) -> FileTree:
    """List every file below ``root``.

    Hidden folders and ``__MACOSX`` are left out. Links to folders are not followed, so a loop of
    them ends; they and folders that cannot be opened are set aside. Links to files count as files.
    """
    aside: list[SetAside] = []

    def name_of(path: str | Path) -> str:
        return Path(path).relative_to(root).as_posix()

    def not_opened(error: OSError) -> None:
        reason = f"a folder that cannot be opened: {error.strerror or error}"
        aside.append((name_of(error.filename), "unreadable", reason))

    names: list[str] = []
    for folder, subfolders, files in os.walk(root, onerror=not_opened):
        subfolders[:] = [s for s in subfolders if not s.startswith(".") and s != _SKIPPED]
        for sub in subfolders:
            if (Path(folder) / sub).is_symlink():
                where = name_of(Path(folder) / sub)
                aside.append((where, "not_an_image", "a link to a folder, not followed"))
        names += [name_of(Path(folder) / file) for file in files]
    return FileTree(root, tuple(sorted(names)), tuple(sorted(aside)))


def descend(root: Path) -> Path:
    """Step into folders that hold nothing but one folder, as zips of a data set do."""
    entries = _visible(root)
    while len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink():
        inner = _visible(entries[0])
        if not any(entry.is_dir() for entry in inner):
            break
        root, entries = entries[0], inner
    return root


def read_regular(file: Path) -> tuple[bytes, str]:
    """Return the bytes of a file, or why it was not even opened.

    Raises :class:`OSError` where reading fails.
    """
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        return b"", "not a regular file"
    if status.st_size > MAX_FILE_BYTES:
        return b"", "larger than 256 MiB"
    return file.read_bytes(), ""


def below(name: str) -> PurePosixPath | None:
    """Return ``name`` as a clean path below some root, or None where it would leave it.

    >>> below("a/./b.jpg")
    PurePosixPath('a/b.jpg')
    >>> below("../b.jpg") is None and below("/b.jpg") is None and below("a\\\\b.jpg") is None
    True
    """
    path = PurePosixPath(name)
    bad = not path.parts or path.is_absolute() or ".." in path.parts
    return None if bad or "\\" in name or "\0" in name else path


def _visible(folder: Path) -> list[Path]:
    def shown() -> Iterator[Path]:
        for entry in folder.iterdir():
            if entry.name != _SKIPPED and not (entry.name.startswith(".") and entry.is_dir()):
                yield entry

    return list(shown())
