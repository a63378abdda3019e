"""Scores against scikit-learn, intervals against plain resampling, and comparisons by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from naturalize.errors import InputError
from naturalize.evaluate.bootstrap import bootstrap_scores, bootstrap_seed_scores
from naturalize.evaluate.compare import mcnemar, paired_difference
from naturalize.evaluate.confusion import confusion_matrix
from naturalize.evaluate.evaluation import EvaluationReport, evaluate_arms
from naturalize.evaluate.scores import overall_scores, scores
from naturalize.predictions import Predictions

CLASSES = ("BA", "EO", "LY", "PLT")
pairs_of_labels = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=40
)


def noisy(
    truth: Sequence[str], right: float, rng: np.random.Generator, classes: Sequence[str] = CLASSES
) -> list[str]:
    """Labels that keep the truth with probability ``right``."""
    return [t if rng.random() < right else str(rng.choice(classes)) for t in truth]


def draw_truth(n: int, rng: np.random.Generator) -> list[str]:
    return [str(label) for label in rng.choice(CLASSES, n)]


class TestConfusionAndScores:
    @given(pairs_of_labels)
    @settings(max_examples=60, deadline=None)
    def test_confusion_agrees_with_scikit_learn(self, pairs: list[tuple[str, str]]) -> None:
        truth, predicted = zip(*pairs, strict=True)
        found = confusion_matrix(truth, predicted, CLASSES)
        assert found.dtype == np.int64
        assert (found == metrics.confusion_matrix(truth, predicted, labels=CLASSES)).all()

    @pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
    @pytest.mark.filterwarnings("ignore:A single label was found")
    @given(pairs_of_labels)
    @settings(max_examples=60, deadline=None)
    def test_scores_agree_with_scikit_learn(self, pairs: list[tuple[str, str]]) -> None:
        truth, predicted = zip(*pairs, strict=True)
        found = scores(confusion_matrix(truth, predicted, CLASSES), CLASSES)
        by_class = metrics.precision_recall_fscore_support(
            truth, predicted, labels=CLASSES, zero_division=0
        )
        macro = metrics.precision_recall_fscore_support(
            truth, predicted, labels=CLASSES, zero_division=0, average="macro"
        )
        rows = [(c.precision, c.recall, c.f1, c.support) for c in found.per_class]
        assert [c.label for c in found.per_class] == list(CLASSES)
        np.testing.assert_allclose(np.array(rows).T, by_class, atol=1e-12)
        np.testing.assert_allclose(
            (found.macro_precision, found.macro_recall, found.macro_f1), macro[:3], atol=1e-12
        )
        assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
        balanced = metrics.balanced_accuracy_score(truth, predicted)
        assert found.balanced_accuracy == pytest.approx(balanced)

    def test_a_stack_scores_like_each_of_its_matrices(self) -> None:
        stack = np.random.default_rng(0).integers(0, 9, (5, 3, 4, 4))
        flat = [overall_scores(matrix) for matrix in stack.reshape(-1, 4, 4)]
        np.testing.assert_array_equal(overall_scores(stack).reshape(-1, 5), flat)

    def test_no_samples_score_nothing(self) -> None:
        assert scores(np.zeros((4, 4), np.int64), CLASSES).accuracy == 0

    @pytest.mark.parametrize(
        ("truth", "predicted", "classes", "named"),
        [
            (["XX"], ["BA"], CLASSES, "truth"),
            (["BA"], ["XX"], CLASSES, "predicted"),
            (["BA", "EO"], ["BA"], CLASSES, "predicted"),
            (["BA"], ["BA"], ("BA", "BA"), "classes"),
        ],
    )
    def test_wrong_labels_are_refused(
        self, truth: list[str], predicted: list[str], classes: Sequence[str], named: str
    ) -> None:
        with pytest.raises(InputError) as caught:
            confusion_matrix(truth, predicted, classes)
        assert caught.value.argument == named

    def test_matrix_of_another_size_is_refused(self) -> None:
        with pytest.raises(InputError):
            scores(np.zeros((3, 3), np.int64), CLASSES)


class TestBootstrap:
    def test_single_image_groups_agree_with_a_plain_bootstrap(self) -> None:
        rng = np.random.default_rng(1)
        truth = draw_truth(150, rng)
        predicted = noisy(truth, 0.7, rng)
        found = bootstrap_scores(
            truth, predicted, [str(i) for i in range(150)], CLASSES, rng=rng, resamples=4000
        )
        t, p = np.array(truth), np.array(predicted)
        draws = []
        for _ in range(1500):
            rows = rng.integers(150, size=150)
            f1 = metrics.f1_score(
                t[rows], p[rows], labels=CLASSES, average="macro", zero_division=0
            )
            draws.append(((t[rows] == p[rows]).mean(), f1))
        low, high = np.quantile(draws, (0.025, 0.975), axis=0)
        expected = [(low[0], high[0]), (low[1], high[1])]
        got = [(i.low, i.high) for i in (found.accuracy, found.macro_f1)]
        np.testing.assert_allclose(got, expected, atol=0.012)
        assert found.accuracy.value == pytest.approx((t == p).mean())

    def test_accuracy_interval_has_the_binomial_width(self) -> None:
        truth = ["BA"] * 400
        predicted = ["BA"] * 300 + ["EO"] * 100
        groups = [str(i) for i in range(400)]
        found = bootstrap_scores(
            truth, predicted, groups, CLASSES, rng=np.random.default_rng(2), resamples=4000
        ).accuracy
        width = 2 * 1.96 * np.sqrt(0.75 * 0.25 / 400)
        assert found.high - found.low == pytest.approx(width, rel=0.08)

    def test_intervals_cover_the_true_accuracy(self) -> None:
        rng = np.random.default_rng(3)
        groups = [str(i) for i in range(200)]
        hits = 0
        for _ in range(200):
            right = ["BA" if rng.random() < 0.8 else "EO" for _ in groups]
            found = bootstrap_scores(["BA"] * 200, right, groups, CLASSES, rng=rng, resamples=400)
            hits += found.accuracy.low <= 0.8 <= found.accuracy.high
        assert 0.88 <= hits / 200 <= 0.99

    def test_groups_of_duplicates_widen_the_interval_as_fewer_images_would(self) -> None:
        rng = np.random.default_rng(4)
        truth = draw_truth(100, rng)
        predicted = noisy(truth, 0.8, rng)
        names = [str(i) for i in range(100)]
        four = {"truth": truth * 4, "predicted": predicted * 4, "classes": CLASSES}
        grouped = bootstrap_scores(**four, groups=names * 4, rng=np.random.default_rng(5))
        alone = bootstrap_scores(
            **four, groups=[str(i) for i in range(400)], rng=np.random.default_rng(5)
        )
        once = bootstrap_scores(truth, predicted, names, CLASSES, rng=np.random.default_rng(5))
        assert grouped.macro_f1 == once.macro_f1
        widths = [s.accuracy.high - s.accuracy.low for s in (grouped, alone)]
        assert widths[0] / widths[1] == pytest.approx(2, rel=0.2)

    def test_the_order_of_samples_changes_nothing(self) -> None:
        rng = np.random.default_rng(6)
        truth = draw_truth(80, rng)
        predicted = noisy(truth, 0.7, rng)
        groups = [f"g{i % 30}" for i in range(80)]
        order = rng.permutation(80)
        straight = bootstrap_scores(truth, predicted, groups, CLASSES, rng=np.random.default_rng(7))
        columns = ([column[i] for i in order] for column in (truth, predicted, groups))
        assert straight == bootstrap_scores(*columns, CLASSES, rng=np.random.default_rng(7))

    def test_seeds_are_resampled(self) -> None:
        truth = ["BA", "EO"] * 50
        wrong = ["EO", "BA"] * 50
        found = bootstrap_seed_scores(
            truth, [truth, wrong], ["one group"] * 100, CLASSES, rng=np.random.default_rng(8)
        )
        # One group cannot vary, so all spread is that of two seeds drawn twice: 0, 1/2 or 1.
        accuracy = found.accuracy
        assert (accuracy.value, accuracy.low, accuracy.high) == (0.5, 0, 1)

    def test_per_class_values_are_those_of_the_scores(self) -> None:
        rng = np.random.default_rng(9)
        truth = draw_truth(60, rng)
        predicted = noisy(truth, 0.6, rng)
        found = bootstrap_scores(truth, predicted, truth, CLASSES, rng=rng, resamples=10)
        plain = scores(confusion_matrix(truth, predicted, CLASSES), CLASSES)
        for got, expected in zip(found.per_class, plain.per_class, strict=True):
            values = (got.precision.value, got.recall.value, got.f1.value)
            assert values == pytest.approx((expected.precision, expected.recall, expected.f1))
            assert (got.label, got.support) == (expected.label, expected.support)

    def test_a_wider_level_gives_a_wider_interval(self) -> None:
        rng = np.random.default_rng(10)
        truth = draw_truth(60, rng)
        data = (truth, noisy(truth, 0.6, rng), [str(i) for i in range(60)], CLASSES)
        narrow, wide = (
            bootstrap_scores(*data, rng=np.random.default_rng(0), level=level).macro_f1
            for level in (0.5, 0.99)
        )
        assert wide.low < narrow.low < narrow.high < wide.high

    @pytest.mark.parametrize(
        "wrong",
        [{"level": 1.0}, {"resamples": 0}, {"groups": ["a"]}, {"truth": [], "predicted": []}],
    )
    def test_senseless_requests_are_refused(self, wrong: dict[str, object]) -> None:
        asked = {"truth": ["BA", "EO"], "predicted": ["BA", "BA"], "groups": ["a", "b"]}
        asked |= {"classes": CLASSES, "rng": np.random.default_rng(0), **wrong}
        with pytest.raises(InputError):
            bootstrap_scores(**asked)


class TestCompare:
    @given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
    @settings(max_examples=60, deadline=None)
    def test_mcnemar_is_the_exact_binomial_test(self, right: list[tuple[bool, bool]]) -> None:
        a, b = ([("BA" if pair[i] else "EO") for pair in right] for i in (0, 1))
        found = mcnemar(["BA"] * len(right), a, b)
        only_a, only_b = right.count((True, False)), right.count((False, True))
        assert (found.only_a, found.only_b) == (only_a, only_b)
        assert (found.both_right, found.both_wrong) == (
            right.count((True, True)),
            right.count((False, False)),
        )
        n = only_a + only_b
        tail = sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
        assert found.p == pytest.approx(min(1, 2 * tail))

    def test_identical_arms_differ_by_exactly_nothing(self) -> None:
        rng = np.random.default_rng(11)
        truth = draw_truth(70, rng)
        arm = [noisy(truth, 0.7, rng) for _ in range(3)]
        gain = paired_difference(truth, arm, arm, [str(i) for i in range(70)], CLASSES, rng=rng)
        for found in (gain.accuracy, gain.macro_f1):
            assert (found.value, found.low, found.high) == (0, 0, 0)

    def test_swapped_arms_swap_the_sign(self) -> None:
        rng = np.random.default_rng(12)
        truth = draw_truth(70, rng)
        a, b = ([noisy(truth, right, rng) for _ in range(2)] for right in (0.6, 0.8))
        groups = [str(i) for i in range(70)]
        there, back = (
            paired_difference(truth, x, y, groups, CLASSES, rng=np.random.default_rng(13)).macro_f1
            for x, y in ((a, b), (b, a))
        )
        assert there.value > 0
        expected = (-there.value, -there.high, -there.low)
        assert (back.value, back.low, back.high) == pytest.approx(expected)

    def test_pairing_makes_the_difference_sharper_than_the_scores(self) -> None:
        rng = np.random.default_rng(14)
        truth = draw_truth(300, rng)
        a = noisy(truth, 0.7, rng)
        b = [t if rng.random() < 0.1 else label for t, label in zip(truth, a, strict=True)]
        groups = [str(i) for i in range(300)]
        gain = paired_difference(truth, [a], [b], groups, CLASSES, rng=rng).accuracy
        alone = bootstrap_scores(truth, a, groups, CLASSES, rng=rng).accuracy
        assert gain.low > 0
        assert gain.high - gain.low < 0.6 * (alone.high - alone.low)

    def test_differences_resample_seeds_too(self) -> None:
        truth = ["BA", "EO"] * 20
        wrong = ["EO", "BA"] * 20
        gain = paired_difference(
            truth,
            [wrong, truth],
            [truth, truth],
            ["g"] * 40,
            CLASSES,
            rng=np.random.default_rng(15),
        ).accuracy
        # The two seeds gain 1 and 0; two draws of them average to 0, 1/2 or 1.
        assert (gain.value, gain.low, gain.high) == (0.5, 0, 1)

    def test_unequal_seeds_are_refused(self) -> None:
        with pytest.raises(InputError):
            paired_difference(
                ["BA"], [["BA"]], [["BA"], ["BA"]], ["g"], CLASSES, rng=np.random.default_rng(0)
            )


def predictions(
    labels: dict[str, str], checkpoint: str, classes: Sequence[str] = CLASSES, split: str = "s"
) -> Predictions:
    """Confident predictions of ``labels`` by sample id."""
    columns = {label: i for i, label in enumerate(classes)}
    sure = np.eye(len(classes), dtype=np.float32)[[columns[label] for label in labels.values()]]
    return Predictions(tuple(labels), sure, tuple(classes), checkpoint, split)


@pytest.fixture
def study() -> tuple[dict[str, list[Predictions]], dict[str, str], dict[str, str]]:
    rng = np.random.default_rng(16)
    truth = {f"image{i:03}": label for i, label in enumerate(draw_truth(90, rng))}
    groups = {sample_id: f"g{i // 2}" for i, sample_id in enumerate(truth)}
    arms = {
        name: [
            predictions(
                dict(zip(truth, noisy(list(truth.values()), right, rng), strict=True)),
                f"{name}-{seed}",
            )
            for seed in range(3)
        ]
        for name, right in (("plain", 0.6), ("composites", 0.75))
    }
    return arms, truth, groups


Study = tuple[dict[str, list[Predictions]], dict[str, str], dict[str, str]]


def evaluate(study: Study, **options: object) -> EvaluationReport:
    return evaluate_arms(*study, rng=np.random.default_rng(17), resamples=200, **options)  # type: ignore[arg-type]


class TestEvaluation:
    def test_report_says_what_was_measured(self, study: Study) -> None:
        arms, truth, _ = study
        report = evaluate(study)
        assert (report.n, report.n_groups, report.split_id) == (90, 45, "s")
        assert [arm.name for arm in report.arms] == ["plain", "composites"]
        for result in report.arms:
            per_seed = [
                metrics.accuracy_score(list(truth.values()), p.labels()) for p in arms[result.name]
            ]
            assert [s.accuracy for s in result.per_seed] == pytest.approx(per_seed)
            assert result.scores.accuracy.value == pytest.approx(np.mean(per_seed))
            assert np.sum(result.summed_confusion) == 90 * result.seeds
        (comparison,) = report.comparisons
        assert (comparison.baseline, comparison.arm) == ("plain", "composites")
        plain, composites = (arm.scores.accuracy.value for arm in report.arms)
        assert comparison.accuracy.value == pytest.approx(composites - plain)
        assert len(comparison.mcnemar) == 3
        assert comparison.mcnemar[0] == mcnemar(
            list(truth.values()), arms["plain"][0].labels(), arms["composites"][0].labels()
        )

    def test_json_round_trip(self, study: Study, tmp_path: Path) -> None:
        report = evaluate(study)
        path = tmp_path / "report.json"
        path.write_text(report.model_dump_json())
        assert EvaluationReport.load(path) == report
        path.write_text(report.model_dump_json().replace('"low"', '"lowest"'))
        with pytest.raises(InputError):
            EvaluationReport.load(path)

    def test_order_of_samples_and_classes_does_not_matter(self, study: Study) -> None:
        arms, truth, groups = study
        expected = evaluate(study)
        labels = dict(zip(truth, arms["plain"][1].labels(), strict=True))
        turned = dict(reversed(labels.items()))
        arms["plain"][1] = predictions(turned, "plain-1", classes=CLASSES[::-1])
        assert evaluate((arms, dict(reversed(truth.items())), groups)) == expected

    def test_another_arm_changes_no_other_number(self, study: Study) -> None:
        arms, truth, groups = study
        alone = evaluate(({"plain": arms["plain"]}, truth, groups))
        assert alone.comparisons == ()
        assert evaluate(study).arms[0] == alone.arms[0]

    def test_pairs_can_be_chosen(self, study: Study) -> None:
        report = evaluate(study, pairs=[("composites", "plain")])
        assert [(c.baseline, c.arm) for c in report.comparisons] == [("composites", "plain")]
        assert report.comparisons[0].accuracy.value < 0
        with pytest.raises(InputError):
            evaluate(study, pairs=[("composites", "nobody")])

    def test_unequal_seeds_can_be_scored_but_not_compared(self, study: Study) -> None:
        study[0]["plain"].pop()
        with pytest.raises(InputError, match="same number of seeds"):
            evaluate(study)
        assert [arm.seeds for arm in evaluate(study, pairs=()).arms] == [2, 3]

    @pytest.mark.parametrize(
        ("labels", "classes", "split"),
        [
            ({"image000": "BA"}, CLASSES, "s"),
            ({f"image{i:03}": "BA" for i in range(91)}, CLASSES, "s"),
            ({f"image{i:03}": "BA" for i in range(90)}, (*CLASSES, "MO"), "s"),
            ({f"image{i:03}": "BA" for i in range(90)}, CLASSES, "another"),
        ],
    )
    def test_other_samples_classes_or_splits_are_refused(
        self, study: Study, labels: dict[str, str], classes: Sequence[str], split: str
    ) -> None:
        study[0]["composites"][2] = predictions(labels, "stray", classes, split)
        with pytest.raises(InputError):
            evaluate(study)

    def test_missing_groups_and_arms_are_refused(self, study: Study) -> None:
        arms, truth, groups = study
        with pytest.raises(InputError, match="group for every sample"):
            evaluate((arms, truth, dict(list(groups.items())[1:])))
        with pytest.raises(InputError):
            evaluate(({}, truth, groups))
        with pytest.raises(InputError):
            evaluate(({"plain": []}, truth, groups))
