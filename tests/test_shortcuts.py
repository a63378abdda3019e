"""The audit of shortcuts: edits that do what they say, and planted shortcuts that are caught."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor
from typer.testing import CliRunner

from naturalize.artefact import Artefact
from naturalize.audit.make_shortcuts import make_shortcuts
from naturalize.audit.shortcut_findings import Shortcuts
from naturalize.audit.shortcut_page import told, verdict
from naturalize.audit.taken_apart import NO_CELL, TakenApart, sources_of, take_apart
from naturalize.audit.views import (
    VIEWS,
    cell_alone,
    in_surroundings_of,
    surroundings_alone,
)
from naturalize.cli.app import app
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.compare import PairedDifference
from naturalize.images import encode_png
from naturalize.split.split import RealSplit
from naturalize.train.run import train_run
from naturalize.train.training import Training

SIDE = 32


@pytest.fixture(scope="module")
def runs(split: Artefact, tmp_path_factory: pytest.TempPathFactory) -> list[Artefact]:
    folder = tmp_path_factory.mktemp("runs")
    asked = Training(model="custom-cnn", input_px=SIDE, budget_images=32, batch_size=32)
    return [
        train_run(split, folder / f"run-{seed}", replace(asked, seed=seed), device="cpu")
        for seed in (0, 1)
    ]


@pytest.fixture(scope="module")
def apart(split: Artefact) -> list[TakenApart]:
    real = RealSplit.load(split)
    found = [take_apart(real.root, sample) for sample in real.test]
    return [one for one in found if isinstance(one, TakenApart)]


def inside(one: TakenApart, weight: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = np.zeros((one.plate.height_px, one.plate.width_px), np.float32)
    whole[one.box.slices] = weight
    return whole


def test_alone_a_cell_keeps_its_pixels_and_nothing_else(apart: list[TakenApart]) -> None:
    for one in apart[:4]:
        shown, picture = cell_alone(one, one), one.picture()
        weight = inside(one, one.shown)
        assert (weight == 1).sum() > 500
        assert np.array_equal(shown[weight == 1], picture[weight == 1])
        slide = np.clip(np.rint(one.slide()), 0, 255)
        assert np.array_equal(shown[weight == 0], slide[weight == 0])


def test_without_its_cell_a_picture_is_bare_slide_there_and_as_it_was_elsewhere(
    apart: list[TakenApart],
) -> None:
    for one in apart[:4]:
        left, picture = surroundings_alone(one, one), one.picture()
        weight = inside(one, one.erased)
        assert np.array_equal(left[weight == 0], picture[weight == 0])
        slide = one.plate.surface.evaluate(*picture.shape[:2])
        assert np.abs(left - slide)[weight == 1].mean() < 6
        assert (inside(one, one.shown) <= weight).all()


def test_a_cell_put_into_its_own_picture_is_that_picture(apart: list[TakenApart]) -> None:
    for one in apart[:4]:
        again = in_surroundings_of(one, one).astype(int)
        cell = inside(one, one.shown) == 1
        assert np.abs(again - one.picture())[cell].max() <= 1
        assert np.abs(again - one.picture()).mean() < 2


def test_a_moved_cell_lies_where_the_other_lay_and_in_its_light(apart: list[TakenApart]) -> None:
    one, other = apart[0], apart[-1]
    moved = in_surroundings_of(one, other)
    far = inside(other, np.ones_like(other.shown)) == 0
    kept = moved.shape == other.picture().shape
    assert kept
    away = far.copy()
    middle = (other.box.top + other.box.height // 2, other.box.left + other.box.width // 2)
    away[max(0, middle[0] - 130) : middle[0] + 130, max(0, middle[1] - 130) : middle[1] + 130] = 0
    assert np.array_equal(moved[away], other.picture()[away])
    assert not np.array_equal(moved, surroundings_alone(other, other))


def test_partners_are_whom_the_view_wants_and_drawn_anew_alike(apart: list[TakenApart]) -> None:
    labels, sources = "aaabbb", ("", "", "x", "", "", "x")
    some = [
        replace(one, sample=one.sample.model_copy(update={"label": label, "id": str(i)}), source=s)
        for i, (one, label, s) in enumerate(zip(apart[:6], labels, sources, strict=True))
    ]
    by_name = {view.name: view.partners(some, seed=3) for view in VIEWS}
    assert by_name["cell"] == [0, 1, 2, 3, 4, 5]
    assert by_name["same-class"] == [1, 0, None, 4, 3, None]
    assert set(by_name["other-class"][:2]) <= {3, 4} and by_name["other-class"][2] == 5
    assert by_name["other-source"][0] == 2 and by_name["other-source"][5] in (3, 4)
    assert by_name == {view.name: view.partners(some, seed=3) for view in VIEWS}


def test_a_picture_without_a_cell_is_told(tmp_path: Path) -> None:
    data = encode_png(np.full((120, 120, 3), 230, np.uint8))
    (tmp_path / "empty.png").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    sample = Sample(
        id="empty.png", label="a", group="a", source="", height_px=120, width_px=120, sha256=digest
    )
    assert take_apart(tmp_path, sample) == NO_CELL


def test_sources_are_those_curation_found() -> None:
    rows = [
        {"kind": "source", "path": "a.jpg", "reason": "another"},
        {"kind": "focus", "path": "b.jpg", "reason": "blurred"},
    ]
    assert sources_of(rows) == {"a.jpg": "another"}


def answering_by(part: slice, split: Artefact, *, reach_px: int = 0) -> object:
    """A network that knows a picture by a square of its pixels, and names the class it had.

    Within ``reach_px`` it knows the square where it lies somewhere else.
    """
    from naturalize.datasets.manifest import read_sample
    from naturalize.train.pixels import fit_square

    real = RealSplit.load(split)
    known = np.stack(
        [
            fit_square(read_sample(real.root, sample), input_px=SIDE, crop_px=256)[part, part]
            for sample in real.test
        ]
    ).astype(float)
    numbers = [real.classes.index(sample.label) for sample in real.test]
    steps = range(-reach_px, reach_px + 1)
    shifted = [slice(part.start + step, part.stop + step) for step in steps]

    def predict(network: object, pixels: Tensor, **_: object) -> NDArray[np.float32]:
        seen = pixels.numpy().transpose(0, 2, 3, 1).astype(float)
        off = np.min(
            [
                np.abs(seen[:, None, rows, columns] - known[None]).mean(axis=(2, 3, 4))
                for rows, columns in product(shifted, shifted)
            ],
            axis=0,
        )
        return np.eye(len(real.classes), dtype=np.float32)[np.array(numbers)[off.argmin(axis=1)]]

    return predict


def test_a_network_that_reads_the_surroundings_is_caught(
    runs: list[Artefact], split: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corner = answering_by(slice(0, 5), split)
    monkeypatch.setattr("naturalize.audit.make_shortcuts.predict", corner)
    found = Shortcuts.load(make_shortcuts({"cnn": runs}, tmp_path / "out"))
    (model,) = found.models
    assert model.runs == ("run-0", "run-1")
    alone, other = model.of("surroundings"), model.of("other-class")
    assert alone is not None and other is not None and other.follows is not None
    assert alone.scores.accuracy.value == 1
    assert other.scores.accuracy.value == 0
    assert other.follows.value == 1
    assert "100 in 100 get the class of the surroundings" in " ".join(told(found, model))


def test_a_network_that_reads_the_cell_is_not(
    runs: list[Artefact], split: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = answering_by(slice(12, 20), split, reach_px=1)
    monkeypatch.setattr("naturalize.audit.make_shortcuts.predict", middle)
    made = make_shortcuts({"cnn": runs[:1]}, tmp_path / "out")
    found = Shortcuts.load(made)
    (model,) = found.models
    cell, alone, other = (model.of(name) for name in ("cell", "surroundings", "other-class"))
    assert cell is not None and alone is not None and other is not None
    assert cell.scores.accuracy.value == 1
    assert alone.scores.accuracy.value < 0.5
    assert other.scores.accuracy.value > 0.8
    assert found.apart + sum(sum(c.values()) for c in found.left_out.values()) == found.n
    assert (made.path / "shortcuts.html").read_text().count("<img") >= 4


def test_the_verdict_is_the_paired_difference_between_edits_that_are_alike(
    runs: list[Artefact], tmp_path: Path
) -> None:
    model = Shortcuts.load(make_shortcuts({"cnn": runs[:1]}, tmp_path / "out")).models[0]
    for low, high, swayed in ((-0.2, -0.1, True), (-0.2, 0.1, False), (0.0, 0.1, False)):
        change = Interval((low + high) / 2, low, high)
        changed = {"sway": PairedDifference(accuracy=change, macro_f1=change, p=0.5)}
        assert verdict(model.model_copy(update=changed))[0] == swayed
    nothing = verdict(model.model_copy(update={"sway": None}))
    assert nothing == (False, "Too few images to move cells between pictures.")


def test_the_verb_tells_runs_from_a_bank(
    runs: list[Artefact], bank: Artefact, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    done = CliRunner().invoke(app, ["audit", str(runs[0].path), "-o", out])
    assert done.exit_code == 0, done.output
    assert "shortcuts.html" in done.output
    for words, says in (
        ([str(runs[0].path), "--sheet"], "none for runs"),
        ([str(runs[0].path), str(bank.path)], "a run folder beside runs"),
        ([str(bank.path), str(bank.path)], "one bank, or runs"),
    ):
        failed = CliRunner().invoke(app, ["audit", *words, "-o", str(tmp_path / "x")])
        assert isinstance(failed.exception, InputError)
        assert says in str(failed.exception)
