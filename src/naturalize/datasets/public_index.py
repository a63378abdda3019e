"""What a public data set must hold: every file's path, size and sha256, shipped in the package."""

from __future__ import annotations

import csv
import io
import lzma
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class IndexEntry:
    """One file, by its POSIX path below the data set's root; size in bytes."""

    path: str
    size: int
    sha256: str


def load_index(resource: str) -> tuple[IndexEntry, ...]:
    """Read an index shipped beside this module: an xz-packed CSV with path, bytes, sha256.

    >>> index = load_index("pbc_index.csv.xz")
    >>> len(index), index[0].path
    (17093, 'basophil/BA_100102.jpg')
    """
    packed = resources.files("naturalize.datasets").joinpath(resource).read_bytes()
    rows = csv.DictReader(io.StringIO(lzma.decompress(packed).decode("utf-8")))
    return tuple(IndexEntry(row["path"], int(row["bytes"]), row["sha256"]) for row in rows)
