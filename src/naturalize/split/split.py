"""A split made before anything is cut out: train, validation and test never share an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from naturalize.artefact import Artefact, protocol
from naturalize.datasets.manifest import data_root, read_table, samples_from_rows
from naturalize.datasets.sample import Sample
from naturalize.errors import LeakError
from naturalize.split.leak_check import leak_check

Side = Literal["train", "val", "test"]
SIDES: tuple[Side, ...] = get_args(Side)
TABLE = "split.csv"


@dataclass(frozen=True)
class RealSplit:
    """Real images on three sides; ``train`` alone may be cut up and learned from.

    ``root`` is the folder below which sample ids are paths. Stored as ``split.csv``, one row an
    image with its ``side``, which a person can read and another data copy can reuse.
    """

    id: str
    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def side(self, name: Side) -> tuple[Sample, ...]:
        """Return the samples of one side."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    @classmethod
    def load(cls, artefact: Artefact) -> RealSplit:
        """Read a ``split`` artefact and prove that it does not leak.

        Raises :class:`LeakError` for anything of the paper's protocol.
        """
        if protocol(artefact) == "paper":
            raise LeakError(
                f"{artefact.path}: made as the paper does, composites before the split; its "
                "scores are no scores on untouched images"
            )
        path = artefact.path / TABLE
        rows = read_table(path)
        samples = samples_from_rows(rows, path)
        by_side = {
            side: tuple(s for s, r in zip(samples, rows, strict=True) if r["side"] == side)
            for side in SIDES
        }
        split = cls(artefact.id, data_root(artefact), tuple(artefact.summary["classes"]), **by_side)
        leak_check(split)
        return split
