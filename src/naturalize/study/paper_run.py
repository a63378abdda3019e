"""The paper's protocol run set by set; each cell keeps its predictions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from naturalize.artefact import Artefact, Draft, Request, build
from naturalize.compose.make_composites import make_composites
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.make_bank import make_bank
from naturalize.errors import BusyError
from naturalize.progress import Track, quiet
from naturalize.split.paper_split import make_paper_split, make_pool
from naturalize.study.paper_spec import PaperSpec
from naturalize.study.prepare import ON, made
from naturalize.study.run_cell import training_of
from naturalize.study.run_study import Share, Told, Watch
from naturalize.train.run import train_run

KEPT = ("val.npz", "test.npz", "metrics.csv")


@dataclass(frozen=True)
class PaperCell:
    """One network learning from one set."""

    set_name: str
    model: str
    seed: int

    @property
    def name(self) -> str:
        """A folder name."""
        return re.sub(r"[^\w.+-]", "-", f"{self.set_name}_{self.model}_s{self.seed}")


@dataclass(frozen=True, eq=False)
class PaperHome:
    """The folder of a rerun of the paper, its spec, and the ``curated`` images it stands on."""

    folder: Path
    spec: PaperSpec
    curated: Artefact
    workers: int = 1
    track: Track = quiet

    def cell_folder(self, cell: PaperCell) -> Path:
        """Return where the predictions of a cell lie."""
        return self.folder / "cells" / cell.name

    def pool(self) -> Artefact:
        """Return all images as one train side."""
        return made(lambda: make_pool(self.curated, self.folder / "pool", if_exists=ON))

    def split_of(self, set_name: str, seed: int) -> Artefact:
        """Return a set, dealt out at random: real images and composites together."""
        pool, chosen = self.pool(), self.spec.sets[set_name]
        home = self.folder / "sets" / re.sub(r"[^\w.+-]", "-", set_name)
        composites = self._composites(pool, chosen.recipe, home) if chosen.recipe else None
        return made(
            lambda: make_paper_split(
                pool, composites, home / f"split-s{seed}", seed=seed, cap=chosen.cap, if_exists=ON
            )
        )

    def _composites(self, pool: Artefact, recipe: str, home: Path) -> Artefact:
        tools = {"workers": self.workers, "if_exists": ON, "track": self.track}
        bank = made(lambda: make_bank(pool, self.folder / "bank", **tools))  # type: ignore[arg-type]
        asked = load_recipe(recipe)
        count = None if asked.tells_counts else int(bank.summary["images"])
        out = home / "composites"
        return made(lambda: make_composites(bank, out, recipe=asked, count=count, **tools))  # type: ignore[arg-type]


def paper_cells(spec: PaperSpec) -> Iterator[PaperCell]:
    """Yield the cells: the first network on every set, the others on one."""
    for seed in spec.seeds:
        for set_name in spec.sets:
            yield PaperCell(set_name, spec.models[0], seed)
        for model in spec.models[1:] if spec.models_on in spec.sets else ():
            yield PaperCell(spec.models_on, model, seed)


def run_paper(home: PaperHome, share: Share, watch: Watch) -> int:
    """Run the cells of ``share`` that are not done; return how many of all are missing."""
    cells = list(paper_cells(home.spec))
    own = share.of(cells)
    for number, cell in enumerate(own, start=1):
        if (home.cell_folder(cell) / "manifest.json").is_file():
            continue
        begun = monotonic()
        try:
            run_paper_cell(home, cell)
        except BusyError:
            continue
        watch(Told(number, len(own), 0, cell.name, monotonic() - begun))
    return sum(not (home.cell_folder(cell) / "manifest.json").is_file() for cell in cells)


def run_paper_cell(home: PaperHome, cell: PaperCell) -> Artefact:
    """Write a ``cell`` artefact, stamped as the paper's protocol; the weights are not kept."""
    split, asked = home.split_of(cell.set_name, cell.seed), home.spec.training

    def write(draft: Draft) -> None:
        run = train_run(
            split,
            home.folder / "trainings" / cell.name,
            replace(training_of(asked), model=cell.model, seed=cell.seed),
            if_exists=ON,
            track=home.track,
        )
        for file in KEPT:
            draft.write(file, (run.path / file).read_bytes())
        draft.summary.update(images_seen=run.summary["images_seen"], seconds=run.summary["seconds"])
        shutil.rmtree(run.path)

    parameters = {"model": cell.model, "training": asked.model_dump(mode="json")}
    request = Request("cell", parameters, {"split": split}, cell.seed)
    return build(home.cell_folder(cell), request, write, if_exists=ON)
