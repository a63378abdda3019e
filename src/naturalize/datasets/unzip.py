"""Unpack a zip that nobody vouches for.

Entries that leave the folder, links, encrypted entries, names used twice and bombs are refused
with the entry's name, before anything is written; a damaged zip is refused as a whole.
"""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naturalize.artefact import Draft
from naturalize.datasets.file_tree import MAX_FILE_BYTES, below
from naturalize.errors import InputError, StorageError
from naturalize.progress import Track

MAX_UNPACKED_BYTES = 50 * 2**30
MAX_ENTRIES = 1_000_000
MAX_RATIO = 100
_SMALL_BYTES = 2**26
_ENCRYPTED = 0x1
_CLASHES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def unzip(source: Path, draft: Draft, folder: str, track: Track) -> None:
    """Unpack the zip ``source`` below the draft's sub-folder ``folder``, or go on doing so."""
    try:
        with opened_zip(source) as (archive, entries):
            _check_room(draft.path / folder, entries)
            for entry in track(entries, len(entries), "unpack"):
                name = f"{folder}/{below(entry.filename)}"
                if not draft.has(name):
                    draft.write(name, archive.read(entry))
    except OSError as error:
        if error.errno not in _CLASHES:
            raise
        got = f"{error.strerror}: {Path(str(error.filename)).name[:60]}"
        raise InputError(f"source {source}", "names this system can hold", got) from error


@contextmanager
def opened_zip(source: Path) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """Open a zip and yield it with its files; damage found while reading is an InputError."""
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive, _entries(archive, source)
    except DAMAGED as error:
        raise InputError(f"source {source}", "a folder or a whole, open zip file", error) from error


def _entries(archive: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a zip, or refuse it."""
    argument, seen = f"source {source}", set[str]()
    entries = []
    for entry in archive.infolist():
        _refuse(entry, argument)
        name = str(below(entry.filename))
        if entry.is_dir() or name.startswith("__MACOSX/"):
            continue
        if name in seen:
            raise InputError(argument, "every name once in the zip", entry.filename)
        seen.add(name)
        entries.append(entry)
    if not entries:
        raise InputError(argument, "a zip with images", "an empty one")
    if len(entries) > MAX_ENTRIES:
        raise InputError(argument, f"at most {MAX_ENTRIES:,} files", f"{len(entries):,}")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise InputError(argument, "a zip of at most 50 GiB unpacked", f"{unpacked:,} bytes")
    if unpacked > max(_SMALL_BYTES, MAX_RATIO * source.stat().st_size):
        raise InputError(argument, f"at most {MAX_RATIO} times its own size unpacked", "a zip bomb")
    return entries


def _refuse(entry: zipfile.ZipInfo, argument: str) -> None:
    """Raise :class:`InputError` for an entry that must not be unpacked."""
    if below(entry.filename) is None:
        raise InputError(argument, "entries inside the zip", repr(entry.filename))
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(argument, "a zip without links", repr(entry.filename))
    if entry.flag_bits & _ENCRYPTED:
        raise InputError(argument, "a zip without a password", f"{entry.filename!r}, encrypted")
    if entry.file_size > MAX_FILE_BYTES:
        raise InputError(argument, "files of at most 256 MiB", repr(entry.filename))


def _check_room(folder: Path, entries: list[zipfile.ZipInfo]) -> None:
    needed = sum(
        entry.file_size for entry in entries if not (folder / str(below(entry.filename))).is_file()
    )
    free = shutil.disk_usage(folder.parent).free
    if needed > free:
        raise StorageError(f"{folder}: {needed:,} bytes are needed to unpack, {free:,} are free")
