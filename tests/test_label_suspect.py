from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from naturalize.artefact import Artefact
from naturalize.curate.clean import curate
from naturalize.curate.label_suspect import class_thresholds, find_label_suspects
from naturalize.datasets.manifest import Manifest, read_table
from naturalize.errors import InputError
from naturalize.predictions import Predictions

CLASSES = ("a", "b", "c")


def predicted(rows: np.ndarray, names: tuple[str, ...] | None = None) -> Predictions:
    ids = names or tuple(str(i) for i in range(len(rows)))
    return Predictions(ids, rows.astype(np.float32), CLASSES, "run 7", "split")


def planted(seed: int) -> tuple[dict[str, str], dict[str, str], Predictions]:
    """Return what is true, what is filed (some wrongly) and what a fair model says."""
    rng = np.random.Generator(np.random.PCG64(seed))
    truth = rng.integers(0, 3, 300)
    filed = truth.copy()
    wrong = rng.choice(300, 15, replace=False)
    filed[wrong] = (truth[wrong] + rng.integers(1, 3, 15)) % 3
    scores = rng.normal(0, 0.6, (300, 3))
    scores[np.arange(300), truth] += 4
    rows = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    def named(columns: np.ndarray) -> dict[str, str]:
        return {str(i): CLASSES[column] for i, column in enumerate(columns)}

    return named(truth), named(filed), predicted(rows)


def test_swapped_labels_are_found_with_the_right_class() -> None:
    truth, filed, predictions = planted(0)
    swapped = {name for name in truth if truth[name] != filed[name]}
    found = list(find_label_suspects(filed, predictions))
    hits = {finding.path for finding in found} & swapped
    assert len(hits) >= 12
    assert len(found) <= len(swapped) + 3
    for finding in found:
        if finding.path in swapped:
            assert f"looks like {truth[finding.path]}" in finding.reason
        assert f"filed under {filed[finding.path]}" in finding.reason
        assert "run 7" in finding.reason
    values = [float(finding.value) for finding in found]
    assert values == sorted(values, reverse=True)


@given(
    rows=arrays.arrays(np.float64, (12, 3), elements=st.floats(0.01, 1)),
    given_=arrays.arrays(np.intp, 12, elements=st.integers(0, 2)),
)
@settings(max_examples=100, deadline=None)
def test_findings_are_those_the_definition_asks_for(rows: np.ndarray, given_: np.ndarray) -> None:
    """Against the definition written out image by image."""
    predictions = predicted(rows / rows.sum(axis=1, keepdims=True))
    p = predictions.probabilities.astype(float)
    filed = {str(i): CLASSES[k] for i, k in enumerate(given_)}
    means = {k: p[given_ == k, k].mean() for k in range(3) if (given_ == k).any()}
    expected = set()
    for i, own in enumerate(given_):
        likely = [k for k, mean in means.items() if p[i, k] >= mean - 1e-12]
        clear = all(
            abs(p[i, k] - mean) > 1e-9 for k, mean in means.items() if (given_ == k).sum() > 1
        )
        if likely and own not in likely and clear:
            expected.add(str(i))
    assert expected <= {finding.path for finding in find_label_suspects(filed, predictions)}


def test_a_class_without_images_is_never_likely() -> None:
    rows = np.array([[0.1, 0.1, 0.8], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    thresholds = class_thresholds(rows, np.array([0, 0, 1]))
    assert np.allclose(thresholds[:2], [0.5, 0.8])
    assert thresholds[2] == np.inf
    assert not list(find_label_suspects({"0": "a", "1": "a", "2": "b"}, predicted(rows)))


def test_a_model_that_agrees_has_no_suspects() -> None:
    rows = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.2, 0.7, 0.1]])
    assert not list(find_label_suspects({"0": "a", "1": "a", "2": "b"}, predicted(rows)))


def test_predictions_of_other_data_are_refused() -> None:
    rows = np.array([[0.8, 0.1, 0.1]])
    with pytest.raises(InputError, match=r"--predictions: .*images of this data set.*stray"):
        list(find_label_suspects({"0": "a"}, predicted(rows, ("stray",))))
    with pytest.raises(InputError, match=r"--predictions: .*none of z"):
        list(find_label_suspects({"0": "z"}, predicted(rows)))


def test_curate_lists_suspects_and_keeps_them(dataset: Artefact, tmp_path: Path) -> None:
    manifest = Manifest.load(dataset)
    samples = [s for s in manifest.samples if s.label in manifest.classes[:2]]
    rows = np.full((len(samples), len(manifest.classes)), 0.1 / (len(manifest.classes) - 1))
    for row, sample in zip(rows, samples, strict=True):
        row[manifest.classes.index(sample.label)] = 0.9
    rows[0] = rows[-1]
    ids = tuple(s.id for s in samples)
    file = tmp_path / "test.npz"
    made = Predictions(ids, rows.astype(np.float32), manifest.classes, "run", "split")
    file.write_bytes(made.to_bytes())
    curated = curate(dataset, tmp_path / "out", predictions=[file])
    found = read_table(curated.path / "findings.csv")
    assert [(row["kind"], row["path"]) for row in found] == [("label_suspect", ids[0])]
    assert len(Manifest.load(curated).samples) == len(manifest.samples)
    with pytest.raises(InputError, match="predictions file"):
        curate(dataset, tmp_path / "other", predictions=[dataset.path / "samples.csv"])
