"""Images whose label networks contradict, and as many controls, to be judged without the label."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np

from naturalize import images, seeds
from naturalize.artefact import Artefact
from naturalize.curate.label_suspect import find_label_suspects
from naturalize.datasets.manifest import Manifest, read_sample, read_table, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.evaluate.alignment import aligned
from naturalize.evaluate.average import average
from naturalize.predictions import Predictions
from segment_sheets import write_pages

JUDGES = (1, 2)
TILE_PX, SHOWN_PX, CAPTION_PX = 512, 256, 26
COLUMNS, LINES = 3, 2
SURE, DOUBTED, CONTROL = "confident", "other", "control"


@dataclass(frozen=True)
class Answered:
    """One image as it is filed and as networks that never saw it answer.

    ``kind`` is empty unless the image is to be judged: the networks contradict its label with
    confidence (``confident``) or without (``other``), or agree with it (``control``). Judges
    choose between the label and ``against``: the networks' answer, for a control their second.
    ``number_1`` is its number on the sheets of judge 1, ``a_1`` the class called A there.
    """

    id: str
    group: str
    label: str
    answer: str
    kind: str = ""
    against: str = ""
    number_1: int = 0
    a_1: str = ""
    number_2: int = 0
    a_2: str = ""

    @property
    def pair(self) -> str:
        """The label and what it is judged against."""
        return f"{self.label} / {self.against}"

    def seen_by(self, judge: int) -> tuple[int, str, str]:
        """Return the image's number on the sheets of a judge, and the classes called A and B."""
        number, a = (self.number_1, self.a_1) if judge == 1 else (self.number_2, self.a_2)
        return number, a, self.against if a == self.label else self.label


@dataclass(frozen=True)
class Pool:
    """Images with the mean answers of networks that neither learned from nor validated on them."""

    predictions: Predictions
    samples: Mapping[str, Sample]
    root: Path

    @classmethod
    def of(cls, runs: Sequence[Artefact]) -> Pool:
        """Join the test answers of runs, or of cells of a study: the mean where sets are the same.

        So folds of a study join to all of its images, each answered for by its own fold.
        """
        by_split = defaultdict(list)
        for run in runs:
            found = Predictions.load(run.path / "test.npz")
            by_split[found.split_id].append(found)
        means = [some[0] if len(some) == 1 else average(some) for some in by_split.values()]
        parts = [aligned(one, one.sample_ids, means[0].classes) for one in means]
        joined = replace(
            parts[0],
            sample_ids=tuple(name for part in parts for name in part.sample_ids),
            probabilities=np.concatenate([part.probabilities for part in parts]),
        )
        manifest = Manifest.load(runs[0].input("split").input("curated"))
        samples = {sample.id: sample for sample in manifest.samples}
        return cls(joined, {name: samples[name] for name in joined.sample_ids}, manifest.root)


def draw(pool: Pool, *, seed: int) -> list[Answered]:
    """Return all images: the contradicted ones and their controls with their numbers.

    Contradicted with confidence are those that
    :func:`~naturalize.curate.label_suspect.find_label_suspects` finds. For each contradicted image
    one control of the same label is drawn, where there is one with the
    same class in second place.
    """
    rng = seeds.child(seed, "label noise")
    rows = _answered(pool)
    second = _runners_up(pool.predictions)
    free = [row for row in rows.values() if row.answer == row.label]
    free = [free[i] for i in rng.permutation(len(free))]
    for row in [row for row in rows.values() if row.kind]:
        alike = [one for one in free if one.label == row.label]
        if alike:
            control = next((one for one in alike if second[one.id] == row.answer), alike[0])
            free.remove(control)
            rows[control.id] = replace(control, kind=CONTROL, against=second[control.id])
    return _numbered(list(rows.values()), rng)


def _answered(pool: Pool) -> dict[str, Answered]:
    labels = {name: sample.label for name, sample in pool.samples.items()}
    sure = {finding.path for finding in find_label_suspects(labels, pool.predictions)}
    rows = {}
    for name, answer in zip(pool.predictions.sample_ids, pool.predictions.labels(), strict=True):
        row = Answered(name, pool.samples[name].group, labels[name], answer)
        if answer != row.label:
            kind = SURE if name in sure else DOUBTED
            row = replace(row, kind=kind, against=answer)
        rows[name] = row
    return rows


def _runners_up(predictions: Predictions) -> dict[str, str]:
    second = predictions.probabilities.argsort(axis=1)[:, -2]
    names = (predictions.classes[i] for i in second)
    return dict(zip(predictions.sample_ids, names, strict=True))


def _numbered(rows: list[Answered], rng: np.random.Generator) -> list[Answered]:
    """Give what is to be judged a number and a first name on each judge's sheets, by chance."""
    judged = [i for i, row in enumerate(rows) if row.kind]
    for judge in JUDGES:
        for number, i in enumerate(rng.permutation(judged).tolist(), start=1):
            a = (rows[i].label, rows[i].against)[rng.integers(2)]
            given = {f"number_{judge}": number, f"a_{judge}": a}
            rows[i] = replace(rows[i], **given)
    return rows


def write_key(path: Path, rows: Sequence[Answered]) -> None:
    """Write the table that judges must not see."""
    columns = [field.name for field in fields(Answered)]
    path.write_text(write_table(columns, [astuple(row) for row in rows]))


def read_key(path: Path) -> list[Answered]:
    """Read a table that :func:`write_key` wrote."""
    if not path.is_file():
        raise InputError(str(path), "the key that draw wrote", "none")
    rows = read_table(path)
    return [
        Answered(**row | {f"number_{judge}": int(row[f"number_{judge}"]) for judge in JUDGES})  # type: ignore[arg-type]
        for row in rows
    ]


def write_sheets(pool: Pool, rows: Sequence[Answered], folder: Path, judge: int) -> list[Path]:
    """Write the sheets of a judge, six images each, and an empty table for judgements."""
    some = sorted((row for row in rows if row.kind), key=lambda row: row.seen_by(judge))
    tiles = [_tile(pool, row, judge) for row in some]
    empty = [(row.seen_by(judge)[0], "") for row in some]
    (folder / f"judgements-{judge}.csv").write_text(write_table(["number", "right"], empty))
    return write_pages(tiles, folder, f"judge-{judge}", columns=COLUMNS, lines=LINES)


def _tile(pool: Pool, row: Answered, judge: int) -> images.Rgb:
    """Return the middle of an image, twice as large, under its number and the two names."""
    rgb = read_sample(pool.root, pool.samples[row.id])
    top, left = (max(0, (side - SHOWN_PX) // 2) for side in rgb.shape[:2])
    middle = rgb[top : top + SHOWN_PX, left : left + SHOWN_PX]
    shown = cv2.resize(middle, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
    caption = np.full((CAPTION_PX, TILE_PX, 3), 255, dtype=np.uint8)
    number, a, b = row.seen_by(judge)
    words = f"{number}   A {a}   B {b}"
    cv2.putText(caption, words, (4, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([caption, shown])
