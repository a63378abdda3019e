"""From the cells that are done to scores, intervals and comparisons."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from naturalize.artefact import Artefact, open_artefact
from naturalize.datasets.pbc import FOLDER_OF
from naturalize.errors import LeakError
from naturalize.evaluate.evaluation import RESAMPLES, EvaluationReport, evaluate_arms
from naturalize.evaluate.roll_up import merged
from naturalize.predictions import Predictions
from naturalize.report.sensitivity import sensitivities
from naturalize.seeds import child
from naturalize.study.cell import Cell, cells_of, sizes, treatment_of
from naturalize.study.choose import Choices, choices, is_done
from naturalize.study.prepare import Home
from naturalize.study.spec import Spec
from naturalize.study.tested import Tested, beside, held_back, lacking


class Block(BaseModel):
    """All arms at one size, judged on one set of images, ``tested``.

    ``chosen`` tells the settings of arms that were chosen on validation images; ``missing`` arms
    whose cells are not all there; ``lacking`` classes without a tested image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int | None
    tested: str
    report: EvaluationReport
    chosen: dict[str, str]
    missing: tuple[str, ...]
    lacking: tuple[str, ...]


class StudyResults(BaseModel):
    """What a study found so far; ``seconds`` is what its cells took, ``seen``
    the images shown in each. ``phantoms`` says that no image is real."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: Spec
    split_id: str
    cells: int
    seconds: float
    seen: int
    phantoms: bool
    blocks: tuple[Block, ...]


def gather(home: Home, *, resamples: int = RESAMPLES) -> StudyResults:
    """Judge the arms of which all seeds are done, at each size and on each set of images."""
    chosen = choices(home)
    blocks = []
    done: dict[str, Artefact] = {}
    for size in sizes(home.spec):
        arms = _arms(home, size, chosen, done)
        for tested in (held_back(home), *beside(home)) if arms else ():
            predictions = {
                name: [_joined(home, cells, tested, done) for cells in seeds]
                for name, seeds in arms.items()
            }
            blocks.append(_block(home, size, tested, predictions, chosen, resamples))
    summaries = [cell.summary for cell in done.values()]
    return StudyResults(
        spec=home.spec,
        split_id=home.split.id,
        cells=len(done),
        seconds=sum(float(summary["seconds"]) for summary in summaries),
        phantoms=home.is_phantom,
        seen=max((int(summary["images_seen"]) for summary in summaries), default=0),
        blocks=tuple(blocks),
    )


def _arms(
    home: Home, size: int | None, chosen: Choices, done: dict[str, Artefact]
) -> dict[str, list[tuple[Cell, ...]]]:
    """Return the cells of each seed of the arms that are complete; open them into ``done``."""
    arms: dict[str, list[tuple[Cell, ...]]] = {}
    for name in home.spec.arms:
        treatment = treatment_of(home.spec, name, size, chosen)
        if treatment is None:
            continue
        seeds = [cells_of(home.spec, treatment, size, seed) for seed in home.spec.seeds]
        cells = [cell for seed in seeds for cell in seed]
        if all(is_done(home, cell) for cell in cells):
            arms[name] = seeds
            for cell in cells:
                if cell.name not in done:
                    done[cell.name] = open_artefact(home.folder / "cells" / cell.name, "cell")
    return arms


def _joined(
    home: Home,
    cells: Sequence[Cell],
    tested: Tested,
    done: Mapping[str, Artefact],
) -> Predictions:
    """Return the answers of one seed, of all its folds together, as of the study's own split.

    :class:`LeakError` unless the cells together answered for exactly the images to be judged on, or
    for some of them where not all can be shown so.
    """
    parts = [Predictions.load(done[cell.name].path / tested.file) for cell in cells]
    ids = tuple(name for part in parts for name in part.sample_ids)
    asked = {sample.id for sample in tested.samples}
    if len(ids) > len(set(ids)) or set(ids) - asked or (len(ids) < len(asked) and not tested.view):
        raise LeakError(
            f"cell {cells[0].name}: it was not tested on the images of split {home.split.id}"
        )
    said = hashlib.sha256("".join(part.checkpoint_id for part in parts).encode()).hexdigest()[:16]
    joined = replace(
        parts[0],
        sample_ids=ids,
        probabilities=np.concatenate([part.probabilities for part in parts]),
        checkpoint_id=parts[0].checkpoint_id if len(parts) == 1 else f"folds {said}",
        split_id=home.split.id,
    )
    return merged(joined, FOLDER_OF) if tested.coarse else joined


def _block(
    home: Home,
    size: int | None,
    tested: Tested,
    arms: Mapping[str, Sequence[Predictions]],
    chosen: Choices,
    resamples: int,
) -> Block:
    spec, answered = home.spec, set(next(iter(arms.values()))[0].sample_ids)
    samples = tuple(sample for sample in tested.samples if sample.id in answered)
    pairs = [(a, b) for a, b in spec.pairs if a in arms and b in arms]
    report = evaluate_arms(
        arms,
        {sample.id: sample.label for sample in samples},
        {sample.id: sample.group for sample in samples},
        rng=child(0, "evaluate"),
        pairs=pairs,
        resamples=resamples,
    )
    again = sensitivities(
        arms,
        tested.root,
        samples,
        home.other if tested.coarse and home.other else home.split.input("curated"),
        pairs=pairs,
        seed=0,
        resamples=resamples,
    )
    return Block(
        size=size,
        tested=tested.name,
        report=report.model_copy(update={"sensitivity": again}),
        chosen={name: settings for (name, at), settings in chosen.items() if at == size},
        missing=tuple(name for name in spec.arms if name not in arms),
        lacking=lacking(report.classes, samples),
    )
