"""From a run to a reader: honest halves, a network that answers as before, a folder that works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from naturalize import classify
from naturalize.artefact import Artefact
from naturalize.calibrate.halves import two_halves
from naturalize.calibrate.make_reader import make_reader
from naturalize.calibrate.reader_card import about, reader_card
from naturalize.calibrate.temperature import fit_temperature
from naturalize.classify.light import in_known_light, known_slides
from naturalize.classify.odds import odds
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from naturalize.train.run import train_run
from naturalize.train.training import Training


@pytest.fixture(scope="module")
def run(split: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    out = tmp_path_factory.mktemp("run") / "run"
    asked = Training(model="custom-cnn", budget_images=64, batch_size=32, input_px=32)
    return train_run(split, out, asked, device="cpu")


def test_a_reader_of_a_run_reads(run: Artefact, split: Artefact, tmp_path: Path) -> None:
    made = make_reader(
        run, tmp_path / "int8", about=about(run), card=reader_card(run), precision="int8"
    )
    again = make_reader(
        run, tmp_path / "again", about=about(run), card=reader_card(run), precision="int8"
    )
    whole = make_reader(run, tmp_path / "fp32", about={}, card="", precision="fp32")
    assert made.id == again.id
    assert "not a medical device" in (made.path / "README.md").read_text()
    small, exact = classify.load(made.path), classify.load(whole.path)
    real = RealSplit.load(split)
    pictures = [read_sample(real.root, sample) for sample in real.test]
    for one, other in zip(small.predict_all(pictures), exact.predict_all(pictures), strict=True):
        assert one.box == other.box
        assert np.abs(np.subtract(one.probabilities, other.probabilities)).max() < 0.1
    confusion = np.array(small.info.confusion)
    assert 0 < confusion.sum() < len(real.val)


def test_halves_share_no_group_and_need_no_order() -> None:
    samples = [
        Sample(
            id=f"{n}.png",
            label="BA" if n % 3 else "EO",
            group=f"g{n // 2}",
            source="",
            height_px=1,
            width_px=1,
            sha256="0" * 64,
        )
        for n in range(60)
    ]
    one, two = two_halves(samples, seed=1)
    assert not {s.group for s in one} & {s.group for s in two}
    assert {s.id for s in (*one, *two)} == {s.id for s in samples}
    assert abs(len(one) - len(two)) <= 4
    assert two_halves(samples[::-1], seed=1) == (one, two)
    assert two_halves(samples, seed=2) != (one, two)


@pytest.mark.parametrize("wrong_by", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(wrong_by: float) -> None:
    rng = child(0, "temperature")
    logits = 2 * rng.normal(size=(20_000, 4))
    truth = np.array([rng.choice(4, p=row) for row in odds(logits, 1.0)])
    found = fit_temperature((wrong_by * logits).astype(np.float32), truth)
    assert found == pytest.approx(wrong_by, rel=0.05)


def test_another_light_is_taken_out_and_a_known_one_left() -> None:
    rng = child(0, "light")
    view = rng.integers(20, 200, (16, 16, 3)).astype(np.uint8)
    known = [(240.0, 220.0, 200.0), (220.0, 220.0, 230.0)]
    assert in_known_light(view, (225, 215, 228), known) is view
    dimmed = np.rint(view * np.array([0.8, 0.9, 1.1])).clip(0, 255).astype(np.uint8)
    mended = in_known_light(dimmed, (192, 198, 220), known)
    assert np.abs(mended.astype(int) - view).max() <= 1


def test_known_slides_are_the_colours_they_come_in() -> None:
    rng = child(0, "slides")
    slides = np.concatenate(
        [rng.normal((255, 230, 202), 1, (95, 3)), rng.normal((230, 222, 229), 1, (5, 3))]
    )
    found = known_slides(slides)
    assert np.allclose(found, [(255, 230, 202), (230, 222, 229)], atol=2)
