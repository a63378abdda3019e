"""Ours beside the paper's: the scores it would print, and those on real images alone."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from naturalize.artefact import open_artefact
from naturalize.datasets.sample import Sample
from naturalize.evaluate.bootstrap import ScoreIntervals, bootstrap_scores
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.scores import Scores, scores
from naturalize.predictions import Predictions
from naturalize.seeds import child
from naturalize.split.paper_split import COMPOSITE, PaperSplit
from naturalize.study.inflation import Inflation, inflation_of
from naturalize.study.paper_run import PaperHome, paper_cells
from naturalize.study.paper_spec import PaperSpec

RESAMPLES = 1000


class PaperRow(BaseModel):
    """One network on one set with one seed.

    ``val`` and ``test`` are scores of whole sides, composites among them, as the paper prints them;
    ``real`` those of the real test images alone, ``synthetic`` the accuracy on the composites and
    ``inflation`` what these add, where there are any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    set_name: str
    model: str
    seed: int
    n_real: int
    n_synthetic: int
    val: Scores
    test: Scores
    real: ScoreIntervals
    synthetic: float | None
    inflation: Inflation | None = None


class PaperResults(BaseModel):
    """All rows that are done; ``phantoms`` says that no image is real."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: PaperSpec
    classes: tuple[str, ...]
    phantoms: bool
    rows: tuple[PaperRow, ...]


def gather_paper(home: PaperHome) -> PaperResults:
    """Score the cells that are done."""
    rows = []
    for cell in paper_cells(home.spec):
        folder = home.cell_folder(cell)
        if (folder / "manifest.json").is_file():
            found = open_artefact(folder, "cell")
            split = PaperSplit.load(found.input("split"))
            val, test = (Predictions.load(found.path / f"{side}.npz") for side in ("val", "test"))
            real = [sample for sample in split.test if sample.source != COMPOSITE]
            made = [sample for sample in split.test if sample.source == COMPOSITE]
            rows.append(
                PaperRow(
                    set_name=cell.set_name,
                    model=cell.model,
                    seed=cell.seed,
                    n_real=len(real),
                    n_synthetic=len(made),
                    val=_scores(val, split.val),
                    test=_scores(test, split.test),
                    real=_real(test, real),
                    synthetic=_scores(test, made).accuracy if made else None,
                    inflation=_inflation(test, split.test) if made else None,
                )
            )
    dataset = home.curated.input("dataset") if home.curated.kind == "curated" else home.curated
    return PaperResults(
        spec=home.spec,
        classes=tuple(home.curated.summary["classes"]),
        phantoms=dataset.summary.get("layout") == "phantom",
        rows=tuple(rows),
    )


def _labels(predictions: Predictions, samples: Sequence[Sample]) -> tuple[list[str], list[str]]:
    """Return truth and answers of ``samples``."""
    answers = dict(zip(predictions.sample_ids, predictions.labels(), strict=True))
    return [sample.label for sample in samples], [answers[sample.id] for sample in samples]


def _scores(predictions: Predictions, samples: Sequence[Sample]) -> Scores:
    classes = predictions.classes
    return scores(confusion_matrix(*_labels(predictions, samples), classes), classes)


def _real(predictions: Predictions, samples: Sequence[Sample]) -> ScoreIntervals:
    truth, answers = _labels(predictions, samples)
    return bootstrap_scores(
        truth,
        answers,
        [sample.id for sample in samples],
        predictions.classes,
        rng=child(0, "evaluate"),
        resamples=RESAMPLES,
    )


def _inflation(predictions: Predictions, samples: Sequence[Sample]) -> Inflation:
    truth, answers = _labels(predictions, samples)
    return inflation_of(
        truth,
        answers,
        [sample.source != COMPOSITE for sample in samples],
        predictions.classes,
        rng=child(0, "inflation"),
        resamples=RESAMPLES,
    )
