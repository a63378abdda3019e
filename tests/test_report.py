from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from naturalize.artefact import Artefact
from naturalize.errors import InputError
from naturalize.evaluate.bootstrap import Interval
from naturalize.evaluate.evaluation import EvaluationReport
from naturalize.predictions import Predictions
from naturalize.report.lineage import arm_names, trace
from naturalize.report.make_report import EVALUATION, PAGE, make_report
from naturalize.report.score_sections import verdict
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit
from naturalize.train.run import train_run
from naturalize.train.training import Training

SMALL = Training(model="custom-cnn", budget_images=64, batch_size=32, input_px=32)


class Text(HTMLParser):
    """Collects the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def runs(split: Artefact, composites: Artefact, home: Path) -> list[Artefact]:
    def train(arm: str, seed: int) -> Artefact:
        mixed = composites if arm == "naturalize" else None
        out = home / f"run-{arm}-{seed}"
        return train_run(split, out, replace(SMALL, arm=arm, seed=seed), composites=mixed)

    return [train(arm, seed) for arm in ("none", "flips", "naturalize") for seed in (0, 1)]


@pytest.fixture(scope="module")
def report(runs: list[Artefact], home: Path) -> Artefact:
    return make_report(runs, home / "report", resamples=200)


def test_page_is_one_file_without_network_or_script(report: Artefact) -> None:
    page = (report.path / PAGE).read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "script" not in Text(page).tags
    assert "@import" not in page


def test_page_says_what_a_colleague_asks(report: Artefact, split: Artefact) -> None:
    page = Text((report.path / PAGE).read_text())
    words = " ".join(" ".join(page.words).split())
    assert "one image in ten was locked away" in words
    assert "evidence of nothing about real cells" in words
    assert "“naturalize”" in words
    assert "McNemar" in words
    assert "flips: flips and quarter turns" in words
    assert "mixup" not in words
    assert "no patient or slide numbers" in words
    assert split.id in words
    for label in split.summary["classes"]:
        assert label in words
    assert page.tags.count("img") >= 11 * 3


def test_evaluation_holds_every_arm_with_its_seeds(report: Artefact, split: Artefact) -> None:
    found = EvaluationReport.load(report.path / EVALUATION)
    assert [arm.name for arm in found.arms] == ["none", "flips", "naturalize"]
    assert all(arm.seeds == 2 for arm in found.arms)
    assert found.split_id == split.id
    assert found.n == sum(split.summary["counts"]["test"].values())
    pairs = [(c.baseline, c.arm) for c in found.comparisons]
    assert pairs == [("none", "flips"), ("flips", "naturalize")]
    assert json.loads((report.path / EVALUATION).read_text())["n"] == found.n


def test_lineage_goes_back_to_the_images(
    runs: list[Artefact], dataset: Artefact, bank: Artefact
) -> None:
    lineage = trace(runs)
    assert lineage.dataset.id == dataset.id
    assert lineage.bank is not None
    assert lineage.bank.id == bank.id


def test_runs_of_two_splits_are_not_compared(
    runs: list[Artefact], curated: Artefact, home: Path, tmp_path: Path
) -> None:
    other = make_split(curated, home / "other split", seed=9)
    stray = train_run(other, home / "stray", SMALL)
    with pytest.raises(InputError, match="a run of split"):
        make_report([*runs, stray], tmp_path / "report")


def test_a_run_given_twice_is_no_second_seed(runs: list[Artefact], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="each run once"):
        make_report([runs[0], runs[0]], tmp_path / "report")


def test_all_runs_asked_together_are_one_more_arm(
    runs: list[Artefact], split: Artefact, tmp_path: Path
) -> None:
    pair = [run for run in runs if run.summary["arm"] in ("none", "flips")]
    made = make_report(pair, tmp_path / "pair", average="validation", resamples=100)
    found = EvaluationReport.load(made.path / EVALUATION)
    assert [(arm.name, arm.seeds) for arm in found.arms] == [
        ("none", 2),
        ("flips", 2),
        ("average weighted on validation", 2),
    ]
    assert "128" in Text((made.path / PAGE).read_text()).words
    alone = make_report(runs[:2], tmp_path / "alone", average="equal", resamples=100)
    found = EvaluationReport.load(alone.path / EVALUATION)
    assert [(arm.name, arm.seeds) for arm in found.arms] == [("none", 2), ("average", 1)]
    test = [Predictions.load(run.path / "test.npz") for run in runs[:2]]
    expected = np.mean([one.probabilities for one in test], axis=0).argmax(axis=1)
    truth = {sample.id: sample.label for sample in RealSplit.load(split).test}
    labels = [test[0].classes[i] for i in expected]
    right = np.mean(
        [truth[i] == label for i, label in zip(test[0].sample_ids, labels, strict=True)]
    )
    assert found.arms[1].scores.accuracy.value == pytest.approx(right)


def test_arms_of_unlike_numbers_of_seeds_have_no_average(
    runs: list[Artefact], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="same number of seeds"):
        make_report(runs[:3], tmp_path / "report", average="equal")


def test_curves_show_loss_and_validation_and_say_which_weights_count(
    runs: list[Artefact], report: Artefact, split: Artefact, tmp_path: Path
) -> None:
    words = " ".join(Text((report.path / PAGE).read_text()).words)
    assert "the last weights count in every arm" in words
    assert "Macro F1 on validation images while training" in words
    asked = replace(SMALL, arm="flips+balanced", keep="best")
    best = train_run(split, tmp_path / "best", asked)
    made = make_report([runs[0], best], tmp_path / "report", resamples=50)
    words = " ".join(Text((made.path / PAGE).read_text()).words)
    assert "in “flips+balanced” the weights that did best on validation images count" in words
    assert "equally often" in words
    assert "and each class equally often" not in words


def test_runs_that_differ_in_a_setting_are_no_seeds_of_one_arm(
    runs: list[Artefact], split: Artefact, tmp_path: Path
) -> None:
    mean = train_run(split, tmp_path / "mean", replace(SMALL, arm="none", ema=0.9))
    found = arm_names([runs[0], runs[1], mean, runs[2]])
    assert {name: len(group) for name, group in found.items()} == {
        "none, ema 0.0": 2,
        "none, ema 0.9": 1,
        "flips": 1,
    }


@pytest.mark.parametrize(("holm_p", "doubted"), [(0.4, True), (0.02, False)])
def test_a_verdict_says_when_it_may_be_chance_among_several(
    report: Artefact, holm_p: float, doubted: bool
) -> None:
    found = EvaluationReport.model_validate_json((report.path / EVALUATION).read_bytes())
    worse = {"macro_f1": Interval(-0.03, -0.05, -0.01), "holm_p": holm_p}
    said = verdict(found.comparisons[0].model_copy(update=worse))
    assert "is worse than" in said
    assert ("may be chance" in said) == doubted
    level = worse | {"macro_f1": Interval(0.0, -0.02, 0.02)}
    assert "chance" not in verdict(found.comparisons[0].model_copy(update=level))
