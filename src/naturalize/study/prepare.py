"""What cells stand on: splits, banks and composites, each made once, by whoever needs it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import sleep

from naturalize.artefact import Artefact, IfExists, write_whole
from naturalize.audit.edited_side import EditedSide
from naturalize.compose.make_composites import make_composites
from naturalize.curate.source import second_source
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import Manifest, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import BusyError, InputError
from naturalize.progress import Track, quiet
from naturalize.split.folds import Fold
from naturalize.split.make_split import make_split
from naturalize.split.split import SIDES, RealSplit
from naturalize.study.cell import Ground
from naturalize.study.originals import make_originals
from naturalize.study.spec import Composed, Spec
from naturalize.study.subset import check_subset, draw_subset

ON: IfExists = "resume"
WAIT_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class Home:
    """The folder of a study, its spec and the ``split`` artefact it stands on.

    ``other`` is a data set of other slides that cells are asked about, never to learn from.
    """

    folder: Path
    spec: Spec
    split: Artefact
    workers: int = 1
    track: Track = quiet
    other: Artefact | None = None

    @cached_property
    def whole(self) -> RealSplit:
        """The split that every ground is drawn from."""
        return RealSplit.load(self.split)

    @cached_property
    def images(self) -> tuple[Sample, ...]:
        """All images of the study: those of the split, or with folds all that were curated."""
        if self.spec.folds is not None:
            return Manifest.load(self.split.input("curated")).samples
        return self.whole.train + self.whole.val + self.whole.test

    @cached_property
    def is_phantom(self) -> bool:
        """Whether the images were drawn by the computer."""
        found = self.split.input("curated")
        dataset = found.input("dataset") if found.kind == "curated" else found
        return dataset.summary.get("layout") == "phantom"

    @cached_property
    def strange(self) -> frozenset[str]:
        """Images of a second acquisition source, where the study keeps them apart."""
        curated = self.split.input("curated")
        if not self.spec.without_second_source:
            return frozenset()
        found = second_source(curated) if curated.kind == "curated" else frozenset()
        if not found:
            raise InputError("without_second_source", "data with a second source", "none found")
        return found

    @cached_property
    def edited(self) -> EditedSide:
        """The test images taken apart, in memory, to be shown in other surroundings."""
        return EditedSide.of(self.split_of(Ground()), seed=0, track=self.track)

    def split_of(self, ground: Ground) -> Artefact:
        """Return the split a cell learns from, validates on and is tested on; made where needed."""
        if ground == Ground() and not self.strange:
            return self.split
        curated = self.split.input("curated")
        out = self.folder / "grounds" / ground.name / "split"
        if ground.fold is not None:
            fold = Fold(self.spec.folds or 0, ground.fold)
            return made(lambda: make_split(curated, out, fold=fold, if_exists=ON))
        table = out.with_name("sides.csv")
        if not out.exists():
            table.parent.mkdir(parents=True, exist_ok=True)
            write_whole(table, write_table(["id", "side"], self._sides(ground).items()))
        split = made(lambda: make_split(curated, out, frozen=table, if_exists=ON))
        check_subset(RealSplit.load(split), self.whole, ground.size)
        return split

    def check(self) -> None:
        """Refuse what cannot be run, before anything is: too few images for a size, one source."""
        for size in self.spec.sizes or (None,):
            if self.spec.folds is None:
                self._sides(Ground(size, 0))

    def _sides(self, ground: Ground) -> dict[str, str]:
        whole, strange = self.whole, self.strange
        if ground.size is None:
            return {s.id: side for side in SIDES for s in whole.side(side) if s.id not in strange}
        kept = RealSplit(
            whole.id,
            whole.root,
            whole.classes,
            *(tuple(s for s in whole.side(side) if s.id not in strange) for side in SIDES),
        )
        return draw_subset(kept, ground.size, seed=ground.seed or 0)

    def bank_of(self, ground: Ground) -> Artefact:
        """Return the bank of the train side of a ground."""
        split, out = self.split_of(ground), self.folder / "grounds" / ground.name / "bank"
        return made(
            lambda: make_bank(split, out, workers=self.workers, if_exists=ON, track=self.track)
        )

    def composites_of(self, ground: Ground, composed: Composed) -> Artefact:
        """Return the composites of a ground, or the originals that stand for them."""
        bank = self.bank_of(ground)
        out = self.folder / "grounds" / ground.name / composed.key()
        count = max(1, round(composed.dose * bank.summary["images"]))
        composites = made(
            lambda: make_composites(
                bank,
                out,
                recipe=composed.resolved(),
                count=count,
                seed=ground.seed or 0,
                workers=self.workers,
                if_exists=ON,
                track=self.track,
            )
        )
        if composed.shows == "composites":
            return composites
        originals = out.with_name(f"{out.name}-originals")
        return made(lambda: make_originals(composites, originals, if_exists=ON))


def made(make: Callable[[], Artefact]) -> Artefact:
    """Return what ``make`` makes; while another process is making it, wait for that."""
    while True:
        try:
            return make()
        except BusyError:
            sleep(WAIT_SECONDS)
