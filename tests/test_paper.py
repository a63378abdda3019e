"""The paper's protocol: kept apart from the real one, and its tables beside ours."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from naturalize.artefact import Artefact, Request, build, open_artefact, protocol
from naturalize.compose.make_composites import make_composites
from naturalize.compose.online import OnlineComposites
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.errors import InputError, LeakError
from naturalize.predictions import Predictions
from naturalize.report.make_report import make_report
from naturalize.split.paper_split import COMPOSITE, PaperSplit, make_paper_split, make_pool
from naturalize.split.split import SIDES, RealSplit
from naturalize.study.inflation import inflation_of
from naturalize.study.paper_page import WHY, render_paper
from naturalize.study.paper_results import gather_paper
from naturalize.study.paper_run import PaperHome, paper_cells, run_paper
from naturalize.study.paper_spec import PaperSpec
from naturalize.study.published import published
from naturalize.study.run_study import Share
from naturalize.train.run import train_run
from naturalize.train.training import Training

TINY = Training(model="custom-cnn", input_px=32, budget_images=32, batch_size=16)


@pytest.fixture(scope="module")
def pool(curated: Artefact, home: Path) -> Artefact:
    return make_pool(curated, home / "paper-pool")


@pytest.fixture(scope="module")
def made(pool: Artefact, home: Path) -> Artefact:
    bank = make_bank(pool, home / "paper-bank")
    return make_composites(
        bank, home / "paper-composites", recipe=load_recipe("naturalize"), count=22
    )


@pytest.fixture(scope="module")
def dealt(pool: Artefact, made: Artefact, home: Path) -> Artefact:
    return make_paper_split(pool, made, home / "paper-split", seed=2)


def test_composites_are_made_of_all_images_and_then_dealt_out(
    curated: Artefact, dealt: Artefact, made: Artefact
) -> None:
    split = PaperSplit.load(dealt)
    everything = [sample for side in SIDES for sample in split.side(side)]
    real = [sample for sample in everything if sample.source != COMPOSITE]
    assert len(everything) - len(real) == 22
    manifest = Manifest.load(curated)
    assert Counter(s.sha256 for s in real) == Counter(s.sha256 for s in manifest.samples)
    assert any(sample.source == COMPOSITE for sample in split.test)
    for sample in split.test:
        assert read_sample(split.root, sample).shape[:2] == (sample.height_px, sample.width_px)


def test_every_descendant_is_stamped(pool: Artefact, made: Artefact, dealt: Artefact) -> None:
    for artefact in (pool, made.input("bank"), made, dealt):
        assert artefact.manifest["protocol"] == "paper"
        assert protocol(artefact) == "paper"


def test_nothing_real_is_touched_by_it(split: Artefact, bank: Artefact, dataset: Artefact) -> None:
    assert protocol(split) == protocol(bank) == "real"
    assert "protocol" not in split.manifest
    assert protocol(dataset) is None


def test_the_two_protocols_do_not_mix(
    split: Artefact, bank: Artefact, composites: Artefact, made: Artefact, dealt: Artefact,
    pool: Artefact, tmp_path: Path,
) -> None:  # fmt: skip
    for stranger in (dealt, pool, made):
        with pytest.raises(LeakError):
            RealSplit.load(stranger)
    with pytest.raises(InputError, match="paper-split"):
        PaperSplit.load(split)
    with pytest.raises(LeakError, match="mixed"):
        build(tmp_path / "x", Request("x", {}, {"split": split, "made": made}), lambda draft: None)
    out, asked = tmp_path / "run", replace(TINY, arm="naturalize")
    with pytest.raises(LeakError):
        train_run(split, out, asked, composites=made)
    with pytest.raises(LeakError):
        train_run(dealt, out, asked, composites=composites)
    with pytest.raises(LeakError):
        online = OnlineComposites(made.input("bank"), load_recipe("naturalize"))
        train_run(split, out, asked, composites=online)
    with pytest.raises(LeakError):
        make_paper_split(pool, composites, tmp_path / "mixed")
    assert not out.exists()


def test_no_report_of_untouched_images_is_made_of_it(dealt: Artefact, tmp_path: Path) -> None:
    run = train_run(dealt, tmp_path / "run", TINY)
    assert run.manifest["protocol"] == "paper"
    with pytest.raises(LeakError, match="naturalize study paper"):
        make_report([run], tmp_path / "report")


def test_published_figures_are_whole() -> None:
    found = published()
    assert len(found.models) == 10
    assert [one.table for one in found.sets.values()] == [7, 8, 9, 10, 11]
    for one in found.sets.values():
        assert len(one.f1) == 11
        assert np.mean(list(one.f1.values())) == pytest.approx(one.overall[3], abs=0.02)


def test_a_rerun_of_the_paper(curated: Artefact, made: Artefact, tmp_path: Path) -> None:
    spec = PaperSpec.model_validate(
        {
            "name": "p",
            "protocol": "paper",
            "question": "?",
            "sets": {"Original": {}, "419-PMY": {"recipe": "paper"}},
            "models": ["custom-cnn"],
            "training": {"budget": 32, "batch": 16, "px": 32},
        }
    )
    home = PaperHome(tmp_path, spec, curated)
    assert run_paper(home, Share(1, 2), lambda told: None) == 1
    assert run_paper(home, Share(), lambda told: None) == 0
    assert run_paper(home, Share(), lambda told: pytest.fail(told.cell)) == 0
    results = gather_paper(home)
    row = {row.set_name: row for row in results.rows}["419-PMY"]
    cell = open_artefact(home.cell_folder(list(paper_cells(spec))[1]), "cell")
    assert protocol(cell) == "paper"
    split, test = PaperSplit.load(cell.input("split")), Predictions.load(cell.path / "test.npz")
    answers = dict(zip(test.sample_ids, test.labels(), strict=True))
    for samples, found in (
        (split.test, row.test.accuracy),
        ([s for s in split.test if s.source != COMPOSITE], row.real.accuracy.value),
    ):
        truth = [sample.label for sample in samples]
        expected = metrics.accuracy_score(truth, [answers[sample.id] for sample in samples])
        assert found == pytest.approx(expected)
    assert (row.n_real, row.n_synthetic) == (
        sum(s.source != COMPOSITE for s in split.test),
        sum(s.source == COMPOSITE for s in split.test),
    )
    render_paper(home, results)
    page = (tmp_path / "study.html").read_text()
    assert WHY.split(".")[0] in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "(0.93, " in (tmp_path / "tables" / "tables.md").read_text()


def test_what_composites_add_is_told_with_an_interval() -> None:
    classes, rng = ("BA", "EO", "PMY"), np.random.default_rng(3)
    truth = rng.choice(classes, 300)
    is_real = rng.random(300) < 0.6
    right = rng.random(300) < np.where(is_real, 0.6, 0.95)
    answers = np.where(right, truth, rng.choice(classes, 300))
    found = inflation_of(truth, answers, is_real, classes, rng=np.random.default_rng(0))

    def added(chosen: np.ndarray) -> list[float]:
        parts = [
            (truth[chosen], answers[chosen]),
            (truth[chosen & is_real], answers[chosen & is_real]),
        ]
        kinds = {"labels": classes, "zero_division": 0}
        accuracy = [metrics.accuracy_score(*part) for part in parts]
        f1 = [metrics.f1_score(*part, average=None, **kinds) for part in parts]
        return [accuracy[0] - accuracy[1], f1[0].mean() - f1[1].mean(), *(f1[0] - f1[1])]

    told = (found.accuracy, found.macro_f1, *found.f1)
    assert [one.value for one in told] == pytest.approx(added(np.full(300, True)))
    drawn = []
    for _ in range(400):
        picked = rng.integers(300, size=300)
        again = truth[picked], answers[picked], is_real[picked]
        drawn.append(inflation_of(*again, classes, rng=np.random.default_rng(0), resamples=1))
    means = np.array([[one.accuracy.value, one.macro_f1.value] for one in drawn])
    for i, one in enumerate((found.accuracy, found.macro_f1)):
        assert [one.low, one.high] == pytest.approx(
            np.quantile(means[:, i], [0.025, 0.975]), abs=0.02
        )


def test_composites_read_as_real_images_are_add_nothing() -> None:
    truth, answers = ["BA", "EO"] * 20, ["BA", "BA"] * 20
    is_real = [True] * 20 + [False] * 20
    found = inflation_of(truth, answers, is_real, ("BA", "EO"), rng=np.random.default_rng(0))
    assert (found.accuracy.value, found.macro_f1.value) == (0, 0)
    assert found.accuracy.low < 0 < found.accuracy.high
