"""Kappa, tolerance, roll-up, calibration, ranking and coverage against independent references."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from naturalize.datasets.pbc import FOLDER_OF, FOLDERS, MATURATION, PREFIX_TO_CLASS
from naturalize.errors import InputError
from naturalize.evaluate.auroc import auroc_one_vs_rest
from naturalize.evaluate.blood_scores import are_blood
from naturalize.evaluate.calibration import BINS, expected_calibration_error, reliability
from naturalize.evaluate.certainty import certainty
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.coverage import accuracy_at, area_under_risk_coverage
from naturalize.evaluate.evaluation import EvaluationReport, compare_again, evaluate_arms
from naturalize.evaluate.holm import holm
from naturalize.evaluate.kappa import quadratic_kappa
from naturalize.evaluate.roll_up import rolled_up
from naturalize.evaluate.scores import overall_scores
from naturalize.evaluate.stage_tolerant import forgiven
from naturalize.predictions import Predictions

CLASSES = tuple(sorted(PREFIX_TO_CLASS.values()))
labels = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=60
)


@given(labels)
@settings(max_examples=80, deadline=None)
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    found = quadratic_kappa(
        confusion_matrix(*zip(*pairs, strict=True), CLASSES), CLASSES, MATURATION
    )
    on_line = [pair for pair in pairs if set(pair) <= set(MATURATION)]
    ranks = [[MATURATION.index(label) for label in pair] for pair in on_line]
    seen = np.array(ranks).reshape(-1, 2).T
    if len(np.unique(seen)) < 2:
        assert found == 0
        return
    expected = metrics.cohen_kappa_score(*seen, weights="quadratic", labels=range(5))
    assert float(found) == pytest.approx(expected)


@given(labels)
@settings(max_examples=60, deadline=None)
def test_tolerant_scores_are_those_of_forgiven_answers(pairs: list[tuple[str, str]]) -> None:
    truth, answers = map(list, zip(*pairs, strict=True))

    def near(a: str, b: str) -> bool:
        both = a in MATURATION and b in MATURATION
        return both and abs(MATURATION.index(a) - MATURATION.index(b)) == 1

    mild = [t if near(t, a) else a for t, a in pairs]
    found = overall_scores(forgiven(confusion_matrix(truth, answers, CLASSES), CLASSES, MATURATION))
    f1 = metrics.f1_score(truth, mild, labels=CLASSES, average="macro", zero_division=0)
    assert found[0] == pytest.approx(metrics.accuracy_score(truth, mild))
    assert found[3] == pytest.approx(f1)


@given(labels)
@settings(max_examples=60, deadline=None)
def test_roll_up_is_the_confusion_of_folders(pairs: list[tuple[str, str]]) -> None:
    truth, answers = zip(*pairs, strict=True)
    found = rolled_up(confusion_matrix(truth, answers, CLASSES), CLASSES, FOLDER_OF)
    coarse = [[FOLDER_OF[label] for label in side] for side in (truth, answers)]
    assert (found == metrics.confusion_matrix(*coarse, labels=FOLDERS)).all()


def drawn(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities with ties, (n, 4), and truth of which they know something."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=n)
    logits = rng.normal(size=(n, 4)) + 1.5 * np.eye(4)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return p.round(2), truth


@pytest.mark.parametrize("seed", range(5))
def test_auroc_agrees_with_scikit_learn_weights_and_ties_too(seed: int) -> None:
    probabilities, truth = drawn(90, seed)
    weights = np.random.default_rng(seed + 100).integers(0, 4, (3, 90)).astype(np.float64)
    found = auroc_one_vs_rest(probabilities, truth, weights)
    expected = [
        [
            metrics.roc_auc_score((truth == c).astype(int), probabilities[:, c], sample_weight=row)
            for c in range(4)
        ]
        for row in weights
    ]
    np.testing.assert_allclose(found, expected)


def test_auroc_of_a_class_without_samples_is_chance() -> None:
    probabilities, _ = drawn(20, 0)
    truth = np.zeros(20, np.int64)
    assert auroc_one_vs_rest(probabilities, truth, np.ones((1, 20))).tolist() == [[0.5] * 4]


@pytest.mark.parametrize("seed", range(5))
def test_calibration_agrees_with_scikit_learn(seed: int) -> None:
    probabilities, truth = drawn(200, seed)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    sure -= 1e-6 * np.random.default_rng(seed).random(200)  # none on the edge of a bin
    accuracy, confidence = calibration_curve(right, sure, n_bins=BINS)
    bins = reliability(sure, right)
    np.testing.assert_allclose([one.accuracy for one in bins], accuracy)
    np.testing.assert_allclose([one.confidence for one in bins], confidence)
    counts = np.histogram(sure, np.linspace(0, 1, BINS + 1))[0]
    expected = (np.abs(accuracy - confidence) * counts[counts > 0]).sum() / 200
    found = expected_calibration_error(sure, right, np.ones((1, 200)))
    assert found[0] == pytest.approx(expected)


def test_the_interval_of_a_calibration_error_holds_the_true_one() -> None:
    rng, held = np.random.default_rng(11), 0
    for _ in range(40):
        sure = rng.uniform(0.6, 1.0, 400)
        right = rng.random(400) < sure - 0.12  # so the true error is .12, whatever the bins
        others = (1 - sure) / 3
        probabilities = np.stack([sure, others, others, others], axis=1).astype(np.float32)
        found = certainty(
            [probabilities], np.where(right, 0, 1), [f"g{i}" for i in range(400)],
            rng=rng, resamples=200, level=0.95,
        ).ece  # fmt: skip
        assert 0 <= found.low <= found.value <= found.high
        held += found.low <= 0.12 <= found.high
    assert held >= 34


def test_weights_count_samples_as_often_as_repeating_them() -> None:
    probabilities, truth = drawn(40, 7)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    sure += np.random.default_rng(0).random(40) * 1e-6
    times = np.random.default_rng(1).integers(1, 4, 40)
    weighted, plain = times[None].astype(np.float64), np.ones((1, times.sum()))
    again = np.repeat(sure, times), np.repeat(right, times)
    for figure in (expected_calibration_error, lambda *a: accuracy_at(*a, [0.3, 0.9])[:, 0]):
        assert figure(sure, right, weighted) == pytest.approx(figure(*again, plain), abs=0.03)


def test_coverage_takes_the_surest_answers_first() -> None:
    probabilities, truth = drawn(100, 3)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    sure += np.random.default_rng(0).permutation(100) * 1e-9
    order = sorted(range(100), key=lambda i: -sure[i])
    risks = [1 - np.mean([right[i] for i in order[:k]]) for k in range(1, 101)]
    found = area_under_risk_coverage(sure, right, np.ones((1, 100)))
    assert found[0] == pytest.approx(np.mean(risks))
    (shares,) = accuracy_at(sure, right, np.ones((1, 100)), [0.5, 0.8, 1.0])
    assert shares.tolist() == pytest.approx([1 - risks[49], 1 - risks[79], right.mean()])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    def closed(i: int) -> float:
        families = (s for k in range(1, len(p) + 1) for s in combinations(range(len(p)), k))
        return max(min(1.0, len(s) * min(p[j] for j in s)) for s in families if i in s)

    assert holm(p) == pytest.approx([closed(i) for i in range(len(p))])


def report(n: int = 110) -> tuple[EvaluationReport, dict[str, list[Predictions]]]:
    rng = np.random.default_rng(5)
    truth = {f"i{i:03}": CLASSES[i % 11] for i in range(n)}
    groups = {name: f"g{i // 2}" for i, name in enumerate(truth)}

    def seed(gain: float, number: int) -> Predictions:
        logits = rng.normal(size=(n, 11)) + gain * np.eye(11)[np.arange(n) % 11]
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return Predictions(tuple(truth), p.astype(np.float32), CLASSES, f"{gain}-{number}", "s")

    arms = {f"gain {gain}": [seed(gain, i) for i in range(2)] for gain in (1.0, 1.5, 3.0)}
    found = evaluate_arms(arms, truth, groups, rng=np.random.default_rng(0), resamples=200)
    return found, arms


def test_report_holds_what_scikit_learn_says_of_the_same_predictions() -> None:
    found, arms = report()
    truth = [CLASSES[i % 11] for i in range(110)]
    for arm in found.arms:
        areas = [
            metrics.roc_auc_score(truth, p.probabilities, multi_class="ovr", labels=CLASSES)
            for p in arms[arm.name]
        ]
        assert arm.certainty.macro_auroc.value == pytest.approx(np.mean(areas), abs=1e-6)
        assert arm.certainty.ece.low <= arm.certainty.ece.value <= arm.certainty.ece.high
        assert arm.certainty.curve[-1][1] == pytest.approx(arm.scores.accuracy.value)
        assert arm.blood is not None
        assert arm.blood.folder_accuracy.value >= arm.scores.accuracy.value
        assert arm.blood.tolerant_accuracy.value >= arm.scores.accuracy.value
    for comparison in found.comparisons:
        assert comparison.holm_p >= comparison.p
        assert len(comparison.mcnemar_holm_p) == 2
    assert [c.holm_p for c in found.comparisons] == list(holm([c.p for c in found.comparisons]))
    assert found.comparisons[1].p < 0.05


def test_other_classes_are_no_blood() -> None:
    assert are_blood(CLASSES)
    assert not are_blood(("cat", "dog"))
    assert not are_blood(("BA", "LY"))


def test_comparisons_again_on_fewer_samples() -> None:
    _, arms = report()
    truth = {f"i{i:03}": CLASSES[i % 11] for i in range(55)}
    again = compare_again(
        "half", arms, truth, dict.fromkeys(truth, "one") | {"i000": "two"},
        rng=np.random.default_rng(0), resamples=50,
    )  # fmt: skip
    assert (again.n, again.n_groups, len(again.comparisons)) == (55, 2, 2)
    with pytest.raises(InputError, match="samples that were predicted"):
        compare_again("x", arms, {"no": "BA"}, {"no": "g"}, rng=np.random.default_rng(0))
