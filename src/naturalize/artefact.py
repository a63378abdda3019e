"""An output folder that is either whole or absent.

Every stage writes one artefact: files are collected in ``.NAME.partial`` beside the target and the
folder is renamed once ``manifest.json`` is in it. A run killed at any moment leaves the partial
folder, from which the same request resumes; a finished artefact is never touched unless the user
says ``--overwrite``.

Two digests describe it. ``request`` covers what was asked for (kind, parameters, ids of the inputs,
seed, version) and decides whether a partial folder may be resumed. ``id`` covers the request and
the content, so the same inputs, parameters and seed give the same id.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from naturalize import __version__
from naturalize.errors import BusyError, InputError, LeakError, NaturalizeError, StorageError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
_REQUEST = "request.json"
_LOCK = ".lock"
_SCRATCH = ".scratch"
_BOOKKEEPING = {MANIFEST, _REQUEST, _LOCK}
BEFORE_SPLITS = ("dataset", "curated")
_KEYS = {"schema_version", "request", "parameters", "seed", "inputs", "summary", "files"}

IfExists = Literal["refuse", "resume", "overwrite"]


@dataclass(frozen=True)
class Artefact:
    """A finished output folder; ``manifest`` is what its ``manifest.json`` says."""

    path: Path
    kind: str
    id: str
    manifest: Mapping[str, Any]

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the stage wants a reader to know: counts, choices, warnings."""
        summary: Mapping[str, Any] = self.manifest["summary"]
        return summary

    def input(self, role: str) -> Artefact:
        """Open the artefact this one was made from; refuse one that has changed since."""
        entry = self.manifest["inputs"][role]
        found = open_artefact(self.path / entry["path"], entry["kind"])
        if found.id != entry["id"]:
            raise InputError(str(found.path), f"artefact {entry['id']}", found.id)
        return found


@dataclass(frozen=True)
class Request:
    """What a stage was asked for; everything that decides its content."""

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Artefact] = field(default_factory=dict)
    seed: int | None = None

    def digest(self) -> str:
        """Return a digest of this request, 16 hexadecimal digits."""
        ids = {role: artefact.id for role, artefact in self.inputs.items()}
        return _digest([SCHEMA_VERSION, self.kind, self.parameters, ids, self.seed, __version__])


@dataclass
class Draft:
    """The folder of an artefact while it is being made; handed to the stage by :func:`build`."""

    path: Path
    summary: dict[str, Any] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether an earlier, interrupted run already finished the file ``name``."""
        return (self.path / name).is_file()

    def write(self, name: str, data: bytes | str) -> Path:
        """Write one file so that it is whole or absent, and return its path."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data)
        return target

    def remember(self, name: str, work: Callable[[], str]) -> str:
        """Return the text ``work`` makes, from an earlier interrupted run where it was made there.

        What is remembered lives in the draft only and is gone once the artefact is finished.
        """
        return self.keep(name, work).read_text(encoding="utf-8", errors="surrogateescape")

    def keep(self, name: str, work: Callable[[], bytes | str]) -> Path:
        """Return a file of what ``work`` makes; remembered as by :meth:`remember`."""
        file = f"{_SCRATCH}/{name}"
        return self.path / file if self.has(file) else self.write(file, work())

    def scratch(self, name: str) -> Path:
        """Return where a file lies that is gone once the artefact is finished."""
        return self.path / _SCRATCH / name


def build(
    path: Path,
    request: Request,
    write: Callable[[Draft], None],
    *,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Make the artefact ``request`` at ``path`` by calling ``write`` on its draft folder.

    With ``if_exists="resume"`` a finished artefact of the same request is returned as it is, and an
    interrupted one goes on with the files it has. A :class:`NaturalizeError` from ``write`` removes
    a draft this call began; a full disk or a kill keeps it for ``--resume``.
    """
    with _storage_errors(path):
        path = Path(os.path.realpath(path))
        _spare_inputs(path, request)
        _protocol(request)
        done = _existing(path, request, if_exists)
        if done is not None:
            return done
        partial = path.parent / f".{path.name}.partial"
        alone = not path.parent.exists()
        with _locked(partial, path):
            fresh = _prepare(partial, path, request, if_exists)
            draft = Draft(partial)
            try:
                write(draft)
            except StorageError:
                raise
            except NaturalizeError:
                if fresh:
                    shutil.rmtree(partial, ignore_errors=True)
                if alone:
                    with suppress(OSError):  # somebody else may have put a result there
                        path.parent.rmdir()
                raise
            _finish(draft, path, request, if_exists)
    return open_artefact(path, request.kind)


def open_artefact(path: Path, *kinds: str) -> Artefact:
    """Open a finished artefact and check its tables against their digests.

    :class:`InputError` if it is none, not of one of ``kinds``, or a file directly in it has changed
    (files in its sub-folders are checked where they are read).
    """
    path = Path(os.path.abspath(path))
    expected = " or ".join(f"a {kind} folder" for kind in kinds) or "an artefact folder"
    if not path.exists():
        partial = path.parent / f".{path.name}.partial"
        got = "an unfinished one (finish it with --resume)" if partial.is_dir() else "nothing there"
        raise InputError(str(path), expected, got)
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        found = Artefact(path, manifest["kind"], manifest["id"], manifest)
        missing = _KEYS - manifest.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        got = "a folder without a readable manifest.json" if path.is_dir() else "a file"
        raise InputError(str(path), expected, got) from error
    if kinds and found.kind not in kinds:
        raise InputError(str(path), expected, f"a {found.kind} folder")
    if missing or manifest["schema_version"] != SCHEMA_VERSION:
        got = f"one without {', '.join(sorted(missing))}" if missing else "another version"
        raise InputError(str(path), f"a manifest of schema version {SCHEMA_VERSION}", got)
    for name, digest in manifest["files"].items():
        if not (path / name).is_file() or _file_digest(path / name) != digest:
            raise InputError(str(path / name), "the file that was written", "an altered or no file")
    return found


def protocol(artefact: Artefact) -> str | None:
    """Return how splitting and composing follow on each other in what led to an artefact.

    ``"real"``: split first; ``"paper"``: composites first, see
    :mod:`naturalize.split.paper_split`; None before there is either.
    """
    if artefact.kind in BEFORE_SPLITS:
        return None
    stamp: str = artefact.manifest.get("protocol", "real")
    return stamp


def refuse_existing(file: Path, *, overwrite: bool) -> None:
    """Raise :class:`InputError` where a single file to be written is there, or is a folder."""
    if file.is_dir():
        raise InputError(f"output {file}", "a file", "a folder")
    if file.exists() and not overwrite:
        raise InputError(f"output {file}", "a file that does not exist yet (or --overwrite)", "one")


def write_whole(target: Path, data: bytes | str) -> None:
    """Write a file aside and rename it, so that it is never seen half-written."""
    raw = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        aside.write_bytes(raw)
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _existing(path: Path, request: Request, if_exists: IfExists) -> Artefact | None:
    """Return the finished artefact to reuse, None to build it, or refuse."""
    if (path.is_dir() and not any(path.iterdir())) or not path.exists():
        return None
    if not path.is_dir():
        raise InputError(f"output {path}", "a folder that does not exist yet", "a file")
    if if_exists == "refuse":
        raise InputError(
            f"output {path}", "a folder that does not exist yet (or --resume, --overwrite)", "one"
        )
    if if_exists == "overwrite":
        if not (path / MANIFEST).is_file():
            raise InputError(f"output {path}", "an earlier artefact to overwrite", "other files")
        return None
    found = open_artefact(path)
    if found.manifest["request"] != request.digest():
        raise _another_request(path)
    return found


def _another_request(path: Path) -> InputError:
    expected = "the same inputs, parameters and seed to go on (or --overwrite, or another folder)"
    return InputError(f"output {path}", expected, "another request's output")


def _prepare(partial: Path, path: Path, request: Request, if_exists: IfExists) -> bool:
    """Make the draft folder ready and say whether it is a fresh one."""
    begun = partial / _REQUEST
    if if_exists == "overwrite":
        for entry in partial.iterdir():
            if entry.name != _LOCK:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if begun.exists():
        if if_exists == "refuse":
            raise InputError(f"output {path}", "--resume or --overwrite", "an unfinished run")
        if json.loads(begun.read_text())["request"] != request.digest():
            raise _another_request(path)
        for half_written in partial.rglob(".*.tmp"):
            half_written.unlink()
        return False
    write_whole(begun, json.dumps({"request": request.digest(), "kind": request.kind}))
    return True


def _protocol(request: Request) -> str | None:
    """Return the protocol of what is asked for; :class:`LeakError` where two would be mixed."""
    stamps = {stamp for one in request.inputs.values() if (stamp := protocol(one)) is not None}
    stamps |= {"paper"} if request.kind == "paper-split" else set()
    if len(stamps) > 1:
        named = ", ".join(f"{role} {one.path}" for role, one in request.inputs.items())
        raise LeakError(f"{request.kind} from {named}: the paper's protocol is mixed with no other")
    return next(iter(stamps), None)


def _spare_inputs(path: Path, request: Request) -> None:
    """Refuse an output that is, or holds, what it is made from."""
    for artefact in request.inputs.values():
        for folder in _ancestors(artefact.path.resolve()):
            if folder.is_relative_to(path):
                expected = "a folder apart from its inputs"
                raise InputError(f"output {path}", expected, f"that of {folder}")


def _ancestors(folder: Path) -> Iterator[Path]:
    """Yield an artefact's folder and those it came from, as far as they are at hand."""
    yield folder
    try:
        inputs = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["inputs"]
        parents = [(folder / entry["path"]).resolve() for entry in inputs.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for parent in parents:
        yield from _ancestors(parent)


def _finish(draft: Draft, path: Path, request: Request, if_exists: IfExists) -> None:
    """Describe a draft and put it in its place; spare whatever came there meanwhile."""
    shutil.rmtree(draft.path / _SCRATCH, ignore_errors=True)
    text = json.dumps(_manifest(draft, path, request), indent=2, ensure_ascii=False) + "\n"
    if path.exists() and if_exists == "overwrite":
        shutil.rmtree(path)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        got = "one that appeared meanwhile; the work is kept for --resume"
        raise InputError(f"output {path}", "no folder in the place", got)
    (draft.path / _REQUEST).unlink(missing_ok=True)
    (draft.path / _LOCK).unlink(missing_ok=True)
    write_whole(draft.path / MANIFEST, text)
    draft.path.rename(path)


def _manifest(draft: Draft, path: Path, request: Request) -> dict[str, Any]:
    """Describe a finished draft."""
    content = _content_digest(draft.path)
    inputs = {
        role: {
            "kind": artefact.kind,
            "id": artefact.id,
            "path": os.path.relpath(artefact.path, path),
        }
        for role, artefact in request.inputs.items()
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": request.kind,
        "id": _digest([request.digest(), content]),
        "request": request.digest(),
        "content_sha256": content,
        "files": {
            file.name: _file_digest(file)
            for file in sorted(draft.path.iterdir())
            if file.is_file() and file.name not in _BOOKKEEPING
        },
        **({"protocol": "paper"} if _protocol(request) == "paper" else {}),
        "parameters": dict(request.parameters),
        "seed": request.seed,
        "inputs": inputs,
        "summary": draft.summary,
        "versions": {"naturalize": __version__, "python": platform.python_version()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _content_digest(folder: Path) -> str:
    """Digest every file below ``folder`` but the bookkeeping, by relative name and bytes."""
    total = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = file.relative_to(folder).as_posix()
        if name not in _BOOKKEEPING:
            line = f"{name}\0{_file_digest(file)}\n"
            total.update(line.encode(errors="surrogateescape"))
    return total.hexdigest()


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@contextmanager
def _locked(partial: Path, path: Path) -> Iterator[None]:
    """Hold the draft folder for this process alone."""
    partial.mkdir(parents=True, exist_ok=True)
    with (partial / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"output {path}", "no other run writing it", "one at work") from error
        yield


def _is_about(error: OSError, path: Path) -> bool:
    """Whether the error is about writing ``path`` rather than reading something else."""
    if error.filename is None:
        return True
    file, target = Path(os.fsdecode(error.filename)), Path(os.path.abspath(path))
    beside = {target.parent, Path(os.path.realpath(path)).parent}
    return any(file.is_relative_to(p) or p.is_relative_to(file) for p in beside)


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into a :class:`StorageError`."""
    full = {errno.ENOSPC: "no space left", errno.EDQUOT: "quota used up", errno.EFBIG: "size limit"}
    denied = {errno.EACCES: "no permission", errno.EPERM: "no permission", errno.EROFS: "read-only"}
    denied |= {errno.ENOTDIR: "a file stands where a folder should be", errno.EEXIST: "a file"}
    denied |= {errno.ENAMETOOLONG: "the name is too long", errno.ELOOP: "a loop of links"}
    denied |= {errno.ENOENT: "no folder can be made there"}
    try:
        yield
    except OSError as error:
        reason = (full | denied).get(error.errno or 0)
        if reason is None or not _is_about(error, path):
            raise
        hint = "; free some and add --resume" if error.errno in full else ""
        raise StorageError(f"output {path}: could not write: {reason}{hint}") from error
