"""What a study will cost, from a few images cut, composed and learned from on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from naturalize.compose.make_composites import make_composites
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import write_table
from naturalize.split.make_split import make_split
from naturalize.study.cell import Cell
from naturalize.study.prepare import Home
from naturalize.study.spec import Composed
from naturalize.study.subset import draw_subset
from naturalize.train.run import train_run

IMAGES = 6
"""Real images a class that a probe looks at, fewer where there are fewer."""
BATCHES = 4
_ANSWER = 1 / 3
"""What an answer costs, as a share of learning from an image: the pass forward is a third."""


@dataclass(frozen=True)
class Rates:
    """Seconds: to cut, to compose (by recipe key) and to learn from one image; to begin and end a
    training besides."""

    cut: float
    compose: dict[str, float]
    learn: float
    begin: float


def probe(home: Home, cells: Sequence[Cell]) -> Rates:
    """Time the work of ``cells`` on a few train images of each class, in a temporary folder."""
    whole = home.whole
    fewest = min(sum(s.label == label for s in whole.train) for label in whole.classes)
    sides = draw_subset(whole, min(IMAGES, fewest), seed=0)
    few = {label: [s.id for s in whole.test if s.label == label][:1] for label in whole.classes}
    tested = {name for names in few.values() for name in names}
    kept = {name: side for name, side in sides.items() if side != "test" or name in tested}
    with TemporaryDirectory() as folder:
        table = Path(folder) / "sides.csv"
        table.write_text(write_table(["id", "side"], kept.items()))
        split = make_split(home.split.input("curated"), Path(folder) / "split", frozen=table)
        composed = {c.treatment.composed.key(): c.treatment.composed for c in cells
                    if c.treatment.composed is not None}  # fmt: skip
        begun = monotonic()
        bank = make_bank(split, Path(folder) / "bank") if composed else None
        cut = (monotonic() - begun) / bank.summary["images"] if bank is not None else 0.0

        def compose(one: Composed) -> float:
            assert bank is not None
            begun, count = monotonic(), 3 * len(whole.classes)
            make_composites(bank, Path(folder) / one.key(), recipe=one.resolved(), count=count)
            return (monotonic() - begun) / count

        costs = {key: compose(one) for key, one in composed.items()}
        begun, training = monotonic(), home.spec.training
        run = train_run(
            split,
            Path(folder) / "run",
            model=training.model,
            budget_images=BATCHES * training.batch,
            batch_size=training.batch,
            precision=training.precision,
            validations=1,
            input_px=training.px,
            crop_px=training.crop,
        )
        learning = float(run.summary["seconds"])
        return Rates(
            cut, costs, learning / (BATCHES * training.batch), monotonic() - begun - learning
        )


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
            seconds += images * composed.dose * rates.compose[composed.key()]
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
