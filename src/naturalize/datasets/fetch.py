"""Fetch one file so that it is whole and the right one, or not there at all.

Bytes are collected in ``NAME.part``; ``NAME.part.json`` beside it keeps what the server called the
file (ETag or date), so that a later call goes on where this one stopped, and begins again where the
file has changed since. Only a file of the right size and digest gets its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from naturalize.artefact import write_whole
from naturalize.datasets.http_get import (
    OUT_OF_RANGE,
    DownloadError,
    InterruptedTransfer,
    Patience,
    Perseverance,
    Reply,
    get,
)
from naturalize.errors import InputError, StorageError
from naturalize.progress import Track, quiet

_MIB = 2**20
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch; its size in bytes and sha256 where somebody vouches for them."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None


def fetch(
    file: RemoteFile, folder: Path, *, patience: Patience | None = None, track: Track = quiet
) -> Path:
    """Fetch ``file`` into ``folder`` and return its path; the file itself, if there, is kept.

    Raises :class:`DownloadError` when the server is given up on or sends something else,
    :class:`StorageError` when there is no room, :class:`InputError` when another file has the name
    or another process fetches it.
    """
    target = folder / file.name
    if target.exists():
        wrong = _difference(target, file)
        if wrong:
            raise InputError(str(target), "nothing or the file itself", f"one with {wrong}")
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _opened_part(file, folder) as part:
            steps = _transfer(part, patience or Patience())
            first = list(islice(steps, 1))  # only then is the length known
            whole = track(chain(first, steps), (part.total or 0) // _MIB, f"{file.name} (MiB)")
            for _ in whole:
                pass
            part.finish(target)
    except OSError as error:
        why = f"{error.strerror or error}; what has come so far is kept"
        raise StorageError(f"{target}: could not write: {why}") from error
    return target


def _transfer(part: _Part, patience: Patience) -> Iterator[int]:
    """Bring in what is missing, yielding the number of every further MiB."""
    tries = Perseverance(part.file.url, patience, reached=part.position)
    told = 0
    while True:
        try:
            for position in _receive(part, patience):
                while told < position // _MIB:
                    told += 1
                    yield told
            part.check()
            return
        except InterruptedTransfer as why:
            tries.again(why, part.position)


def _receive(part: _Part, patience: Patience) -> Iterator[int]:
    """Ask for the rest once and yield the position after every block of it."""
    if part.position and part.position == part.file.size:
        return
    with get(part.file.url, headers=part.request(), stall_s=patience.stall_s) as reply:
        total = part.total = part.settle(reply, patience)
        for block in reply.blocks() if reply.status != OUT_OF_RANGE else ():
            part.stream.write(block)
            yield part.position
            if total is not None and part.position > total:
                part.restart()
                raise InterruptedTransfer(f"more than the {total:,} bytes that were announced came")
    if total is not None and part.position < total:
        raise InterruptedTransfer(f"{part.position:,} of {total:,} bytes came")


@dataclass
class _Part:
    """What has come so far; ``stream`` stands at its end."""

    file: RemoteFile
    stream: BinaryIO
    path: Path
    note: Path
    total: int | None = None
    validator: str | None = None
    mismatched: bool = False

    @property
    def position(self) -> int:
        return self.stream.tell()

    def restart(self) -> None:
        """Forget everything that has come."""
        self.stream.seek(0)
        self.stream.truncate()
        self.validator = None

    def request(self) -> dict[str, str]:
        """Return the headers that ask for the rest, of the same file only."""
        if not self.position:
            return {}
        headers = {"Range": f"bytes={self.position}-"}
        return headers | ({"If-Range": self.validator} if self.validator else {})

    def settle(self, reply: Reply, patience: Patience) -> int | None:
        """Put the stream where the body belongs and return how long the file is to become."""
        begin, total = _extent(reply)
        size = self.file.size
        if size is not None and total is not None and total != size:
            raise InterruptedTransfer(f"the server offers {total:,} bytes, the file has {size:,}")
        if reply.status == OUT_OF_RANGE and total == self.position:
            return total
        if begin != self.position:
            begun = self.position
            self.restart()
            if begin != 0:
                raise InterruptedTransfer("the server sent another part than it was asked for")
            patience.say(f"the server begins again; {begun:,} bytes are fetched anew")
        self._check_room(total if total is not None else size)
        if not self.position:
            self._remember(reply)
        return size if size is not None else total

    def check(self) -> None:
        """Raise unless the bytes are those somebody vouches for; try once more before giving up."""
        self.stream.flush()
        wrong = _difference(self.path, self.file)
        if not wrong:
            return
        self.restart()
        if self.mismatched:
            raise DownloadError(f"{self.file.url}: what came has {wrong}; it was thrown away")
        self.mismatched = True
        raise InterruptedTransfer(f"what came has {wrong}")

    def finish(self, target: Path) -> None:
        """Give the file its name."""
        os.fsync(self.stream.fileno())
        self.path.replace(target)
        self.note.unlink(missing_ok=True)

    def recall(self) -> None:
        """Go to the end of what an earlier call left, or begin anew where it was another file."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            same = all(note[key] == getattr(self.file, key) for key in ("size", "sha256"))
            here = note["url"] == self.file.url
            self.validator = note["validator"] if here else None
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        self.stream.seek(0, os.SEEK_END)
        too_long = self.file.size is not None and self.position > self.file.size
        if not same or too_long or not (self.validator or self.file.sha256):
            self.restart()

    def _remember(self, reply: Reply) -> None:
        etag = reply.headers.get("ETag", "")
        strong = etag if etag.startswith('"') else None
        self.validator = strong or reply.headers.get("Last-Modified")
        note = {**asdict(self.file), "validator": self.validator}
        write_whole(self.note, json.dumps(note, indent=2) + "\n")

    def _check_room(self, total: int | None) -> None:
        needed, free = (total or 0) - self.position, shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise StorageError(
                f"{self.path}: {needed:,} bytes are still to come, {free:,} are free"
            )


@contextmanager
def _opened_part(file: RemoteFile, folder: Path) -> Iterator[_Part]:
    """Open what an earlier call left, or an empty file, for this process alone."""
    path = folder / f"{file.name}.part"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(str(path), "no other download writing it", "one at work") from error
        note = path.with_name(f"{path.name}.json")
        part = _Part(file, stream, path, note, total=file.size)
        part.recall()
        yield part


def _extent(reply: Reply) -> tuple[int, int | None]:
    """Return where the body begins in the file and how long the whole file is, if told."""
    if reply.status not in (206, OUT_OF_RANGE):
        return 0, reply.length
    match = _RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
    begin, total = match.groups() if match else (None, "*")
    return int(begin) if begin else -1, None if total == "*" else int(total)


def _difference(path: Path, file: RemoteFile) -> str:
    """Return how a file differs from what it should be, or nothing."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"{size:,} bytes instead of {file.size:,}"
    if file.sha256 is None:
        return ""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return "" if digest == file.sha256 else f"sha256 {digest[:12]}… instead of {file.sha256[:12]}…"
