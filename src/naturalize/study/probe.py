"""What a study will cost, from a few images cut, composed and learned from on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time

from naturalize.artefact import Artefact
from naturalize.compose.make_composites import make_composites
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import write_table
from naturalize.split.make_split import make_split
from naturalize.study.cell import Cell
from naturalize.study.prepare import Home
from naturalize.study.run_cell import training_of
from naturalize.study.spec import Composed
from naturalize.study.subset import draw_subset
from naturalize.study.training import TrainingSpec
from naturalize.train.run import train_run

IMAGES = 6
"""Real images a class that a probe looks at, fewer where there are fewer."""
BATCHES = 4
_ANSWER = 1 / 3
"""What an answer costs, as a share of learning from an image: the pass forward is a third."""


@dataclass(frozen=True)
class Rates:
    """Seconds: to cut, to compose (by recipe key) and to learn from one image; to begin a training.

    ``cores`` is how much of a processor core the probe was given while it took them.
    """

    cut: float
    compose: dict[str, float]
    learn: float
    begin: float
    cores: float


def probe(home: Home, cells: Sequence[Cell]) -> Rates:
    """Time the work of ``cells`` on a few train images of each class, in a temporary folder."""
    clock, worked = monotonic(), process_time()
    given = [cell.treatment.composed for cell in cells]
    recipes = {one.recipe_key(): one for one in given if one is not None}
    with TemporaryDirectory() as name:
        folder = Path(name)
        split = _few(home, folder)
        cut, compose = _composing(split, recipes, folder) if recipes else (0.0, {})
        begin, learn = _training(split, home.spec.training, folder)
    return Rates(cut, compose, learn, begin, (process_time() - worked) / (monotonic() - clock))


def _few(home: Home, folder: Path) -> Artefact:
    """Return a split of a few images a class, and one to be tested on."""
    whole = home.whole
    fewest = min(sum(s.label == label for s in whole.train) for label in whole.classes)
    sides = draw_subset(whole, min(IMAGES, fewest), seed=0)
    first = {sample.label: sample.id for sample in reversed(whole.test)}
    rows = [(n, side) for n, side in sides.items() if side != "test" or n in first.values()]
    table = folder / "sides.csv"
    table.write_text(write_table(["id", "side"], rows))
    return make_split(home.split.input("curated"), folder / "split", frozen=table)


def _composing(
    split: Artefact, recipes: Mapping[str, Composed], folder: Path
) -> tuple[float, dict[str, float]]:
    """Return the seconds of cutting one image, and of composing one by each recipe."""
    begun = monotonic()
    bank = make_bank(split, folder / "bank")
    cut = (monotonic() - begun) / bank.summary["images"]
    count, costs = 3 * len(split.summary["classes"]), {}
    for key, one in recipes.items():
        begun = monotonic()
        make_composites(bank, folder / key, recipe=one.resolved(), count=count)
        costs[key] = (monotonic() - begun) / count
    return cut, costs


def _training(split: Artefact, spec: TrainingSpec, folder: Path) -> tuple[float, float]:
    """Return the seconds it takes to begin a training, and those of learning from one image."""
    begun, images = monotonic(), BATCHES * spec.batch
    run = train_run(split, folder / "run", replace(training_of(spec), budget_images=images))
    learning = float(run.summary["seconds"])
    return monotonic() - begun - learning, learning / images


def cost(home: Home, cells: Sequence[Cell], rates: Rates) -> float:
    """Return how many seconds ``cells`` will take, one after the other, none prepared before."""
    seconds, prepared = 0.0, set[str]()
    for cell in cells:
        images = _images(home, cell)
        composed = cell.treatment.composed
        if composed is not None and cell.ground.name not in prepared:
            prepared.add(cell.ground.name)
            seconds += images * rates.cut
        if composed is not None and (key := f"{cell.ground.name} {composed.key()}") not in prepared:
            prepared.add(key)
            seconds += images * composed.dose * rates.compose[composed.recipe_key()]
        answers = len(home.whole.test) + len(home.whole.val)
        learned = home.spec.training.budget + answers * _ANSWER
        seconds += rates.begin + learned * rates.learn
    return seconds


def _images(home: Home, cell: Cell) -> float:
    """Return about how many train images a cell has."""
    whole = home.whole
    if cell.ground.size is not None:
        return 0.8 * cell.ground.size * len(whole.classes)
    if cell.ground.fold is not None and home.spec.folds is not None:
        return len(home.images) * (home.spec.folds - 2) / home.spec.folds
    return len(whole.train)
