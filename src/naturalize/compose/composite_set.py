"""A folder of composites as training reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from naturalize.artefact import Artefact
from naturalize.datasets.manifest import read_table
from naturalize.images import Rgb, read

TABLE = "composites.csv"
DONORS = "donors.csv"


@dataclass(frozen=True)
class CompositeImage:
    """One synthetic image: its file below the set's root and the class of its nucleated cell."""

    file: str
    label: str


@dataclass(frozen=True)
class CompositeSet:
    """All images of a ``composites`` artefact and the train images their pixels come from.

    ``donors`` are (sample id, sha256) pairs, to be proven train images with ``check_donors``.
    """

    id: str
    root: Path
    images: tuple[CompositeImage, ...]
    donors: tuple[tuple[str, str], ...]

    @classmethod
    def load(cls, artefact: Artefact) -> CompositeSet:
        """Read a ``composites`` artefact."""
        rows = read_table(artefact.path / TABLE)
        donors = read_table(artefact.path / DONORS)
        return cls(
            artefact.id,
            artefact.path,
            tuple(CompositeImage(row["file"], row["label"]) for row in rows),
            tuple((row["sample_id"], row["sha256"]) for row in donors),
        )

    def read(self, image: CompositeImage) -> Rgb:
        """Decode one image."""
        return read(self.root / image.file)
