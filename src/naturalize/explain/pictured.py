"""Which images are to be explained, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from naturalize import images
from naturalize.datasets.file_tree import list_files
from naturalize.errors import ImageError, InputError
from naturalize.seeds import child
from naturalize.split.split import SIDES, RealSplit

Known = Mapping[str, tuple[str, str]]
"""The (class, side) of images of a split, by the digest of their bytes."""


@dataclass(frozen=True)
class Pictured:
    """An image to be explained; ``truth`` and ``side`` are empty where no split knows it."""

    path: Path
    name: str
    sha256: str
    truth: str = ""
    side: str = ""

    def read(self) -> images.Rgb:
        """Decode the image; refuse one that has changed since it was listed."""
        data = _bytes(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ImageError(str(self.path), "the file that was listed", "one altered since")
        return images.decode(data, name=str(self.path))


def known_to(split: RealSplit) -> Known:
    """Return what ``split`` knows of its images."""
    return {s.sha256: (s.label, side) for side in SIDES for s in split.side(side)}


def pictured(paths: Sequence[Path], known: Known) -> list[Pictured]:
    """List images, and all images below folders, in the order given; each file once."""
    files = [file for path in paths for file in _files(path)]
    return [_described(file, known) for file in dict.fromkeys(files)]


def one_each_class(split: RealSplit, *, seed: int) -> list[Pictured]:
    """Draw one test image of each class, whatever the model makes of it."""
    found = []
    for label in split.classes:
        of_class = [sample for sample in split.test if sample.label == label]
        if of_class:
            sample = of_class[int(child(seed, "explain", label).integers(len(of_class)))]
            path = split.root / sample.id
            found.append(Pictured(path, sample.id, sample.sha256, label, "test"))
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    names = [n for n in list_files(path).names if Path(n).suffix.lower() in images.SUFFIXES]
    if not names:
        raise InputError(str(path), "a folder with images", "one without")
    return [path / name for name in names]


def _described(path: Path, known: Known) -> Pictured:
    digest = hashlib.sha256(_bytes(path)).hexdigest()
    return Pictured(path, path.name, digest, *known.get(digest, ("", "")))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error
