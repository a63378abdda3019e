"""The test images of a split, taken apart, and who gets whose surroundings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from naturalize.artefact import Artefact
from naturalize.audit.taken_apart import TakenApart, sources_of, take_apart
from naturalize.audit.views import VIEWS
from naturalize.curate.finding import TABLE as FINDINGS
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.split.split import RealSplit


@dataclass(frozen=True, eq=False)
class EditedSide:
    """The test side of ``split``: images taken ``apart``, and why others were not.

    ``pairs`` holds, by the name of a view, the images that can be shown so, each with the one that
    gives the surroundings, both by their number in ``apart``.
    """

    split: RealSplit
    apart: tuple[TakenApart, ...]
    left_out: Mapping[str, Mapping[str, int]]
    pairs: Mapping[str, tuple[tuple[int, int], ...]]
    seed: int

    @classmethod
    def of(cls, split: Artefact, *, seed: int, track: Track = quiet) -> EditedSide:
        """Take apart every test image; :class:`InputError` where none shows a cell."""
        curated, real = split.input("curated"), RealSplit.load(split)
        known = read_table(curated.path / FINDINGS) if curated.kind == "curated" else []
        sources, left_out = sources_of(known), dict[str, Counter[str]]()
        apart: list[TakenApart] = []
        for sample in track(real.test, len(real.test), "finding cells"):
            found = take_apart(real.root, sample, sources.get(sample.id, ""))
            if isinstance(found, TakenApart):
                apart.append(found)
            else:
                left_out.setdefault(found, Counter())[sample.label] += 1
        if not apart:
            raise InputError("split", "test images with a cell at the centre", "none")
        drawn = {view.name: view.partners(apart, seed=seed) for view in VIEWS}
        pairs = {
            name: tuple((own, other) for own, other in enumerate(some) if other is not None)
            for name, some in drawn.items()
        }
        return cls(real, tuple(apart), left_out, pairs, seed)
