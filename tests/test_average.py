"""Models asked together, against plain arithmetic and a search over all weights."""

from __future__ import annotations

import numpy as np
import pytest

from naturalize.errors import InputError
from naturalize.evaluate.average import average, validation_weights
from naturalize.predictions import Predictions

CLASSES = ("BA", "EO", "LY")
IDS = tuple(f"s{i}" for i in range(200))


def predictions(
    seed: int,
    truth: np.ndarray | None = None,
    skill: float = 0.0,
    ids: tuple[str, ...] = IDS,
    split: str = "split",
) -> Predictions:
    """Random answers that know ``truth`` as well as ``skill`` says."""
    logits = np.random.default_rng(seed).normal(size=(len(ids), 3))
    if truth is not None:
        logits[np.arange(len(ids)), truth] += skill
    odds = np.exp(logits)
    table = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(ids, table, CLASSES, f"run {seed}", split)


class TestAverage:
    def test_is_the_mean_of_probabilities(self) -> None:
        members = [predictions(seed) for seed in range(3)]
        expected = sum(member.probabilities for member in members) / 3
        found = average(members)
        assert np.allclose(found.probabilities, expected, atol=1e-6)
        assert found.sample_ids == IDS
        assert found.split_id == "split"

    def test_weights_say_how_much_each_counts(self) -> None:
        one, two = predictions(0), predictions(1)
        assert np.allclose(average([one, two], [1, 0]).probabilities, one.probabilities)
        assert average([one, two], [0.3, 0.7]).checkpoint_id != average([one, two]).checkpoint_id

    def test_rows_and_columns_may_stand_in_another_order(self) -> None:
        one, two = predictions(0), predictions(1)
        order = np.random.default_rng(5).permutation(len(IDS))
        shuffled = Predictions(
            tuple(IDS[i] for i in order),
            two.probabilities[order][:, [2, 0, 1]].copy(),
            ("LY", "BA", "EO"),
            two.checkpoint_id,
            "split",
        )
        expected, found = average([one, two]), average([one, shuffled])
        assert np.array_equal(found.probabilities, expected.probabilities)

    @pytest.mark.parametrize(
        ("members", "weights", "message"),
        [
            ([predictions(0)], None, "at least two"),
            ([predictions(0), predictions(1, split="other")], None, "split split"),
            ([predictions(0), predictions(1, ids=(*IDS[:-1], "x"))], None, "samples"),
            ([predictions(0), predictions(1)], [0.5, 0.6], "add up to 1"),
            ([predictions(0), predictions(1)], [1.5, -0.5], "add up to 1"),
            ([predictions(0), predictions(1)], [1.0], "2 numbers"),
        ],
    )
    def test_mistakes_are_named(
        self, members: list[Predictions], weights: list[float] | None, message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            average(members, weights)


class TestValidationWeights:
    truth = np.random.default_rng(9).integers(0, 3, len(IDS))

    @property
    def told(self) -> dict[str, str]:
        return {name: CLASSES[i] for name, i in zip(IDS, self.truth, strict=True)}

    def test_no_other_weights_make_the_labels_more_probable(self) -> None:
        members = [predictions(seed, self.truth, seed) for seed in range(3)]
        right = np.stack([m.probabilities[np.arange(len(IDS)), self.truth] for m in members])
        found = np.array(validation_weights(members, self.told))
        best = np.log(found @ right).mean()
        for other in np.random.default_rng(0).dirichlet(np.ones(3), 2000):
            assert np.log(other @ right).mean() <= best + 1e-6
        assert found.sum() == pytest.approx(1)
        assert found[2] > found[0]

    def test_equals_count_the_same(self) -> None:
        one = predictions(0, self.truth, 1.0)
        assert validation_weights([one, one], self.told) == (0.5, 0.5)

    def test_they_are_found_on_labelled_images_alone(self) -> None:
        members = [predictions(0), predictions(1)]
        with pytest.raises(InputError, match="truth"):
            validation_weights(members, dict(list(self.told.items())[1:]))
        empty = [predictions(seed, ids=()) for seed in range(2)]
        with pytest.raises(InputError, match="validation images"):
            validation_weights(empty, {})
