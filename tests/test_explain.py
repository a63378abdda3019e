"""Pictures of reasons: figures that mean what they say, and folders that hold what they should."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from naturalize.artefact import Artefact
from naturalize.cli.app import app
from naturalize.datasets.manifest import read_table
from naturalize.errors import ImageError, InputError
from naturalize.explain.explanation import load_explanations
from naturalize.explain.faithfulness import deletion, hottest_first, insertion
from naturalize.explain.make_explanations import Asked, make_explanations
from naturalize.explain.member import Member
from naturalize.explain.paint import laid_over, painted
from naturalize.explain.pictured import known_to, one_each_class, pictured
from naturalize.explain.road import imputed, road
from naturalize.explain.score_cam import CamSettings
from naturalize.explain.trust import Trust, likeness, means, measure_trust
from naturalize.images import Rgb, decode, read
from naturalize.split.split import RealSplit
from naturalize.train.run import train_run
from naturalize.train.trained_model import ModelInfo
from naturalize.train.training import Training

SMALL = Training(weights="random", input_px=32, budget_images=64, batch_size=32, seed=1)
FEW = CamSettings(channels=4)


@pytest.fixture(scope="module")
def runs(split: Artefact, tmp_path_factory: pytest.TempPathFactory) -> list[Artefact]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        train_run(split, folder / name, replace(SMALL, model=name), device="cpu")
        for name in ("custom-cnn", "timm:test_vit")
    ]


def square() -> Rgb:
    """Grey, with a bright patch off the middle."""
    picture = np.full((32, 32, 3), 90, np.uint8)
    picture[4:14, 16:28] = 250
    return picture


def patch() -> np.ndarray:
    heat = np.zeros((32, 32), np.float32)
    heat[4:14, 16:28] = 1
    return heat


def brightness(squares: list[Rgb]) -> np.ndarray:
    """A class that is there as far as the patch is bright."""
    bright = [float(one[4:14, 16:28].mean()) for one in squares]
    return np.float32(np.clip((np.array(bright) - 90) / 160, 0, 1))


def test_deletion_is_low_and_insertion_high_where_the_heat_is_right() -> None:
    blank = np.full(3, 90, np.uint8)
    right, wrong = patch(), 1 - patch()
    assert deletion(brightness, square(), right, blank) < 0.15
    assert deletion(brightness, square(), wrong, blank) > 0.8
    assert insertion(brightness, square(), right) > 0.85
    assert insertion(brightness, square(), right) > insertion(brightness, square(), wrong)


def test_every_pixel_has_one_rank() -> None:
    heat = np.random.default_rng(0).integers(0, 4, (9, 9)).astype(np.float32)
    rank = hottest_first(heat)
    assert sorted(rank.ravel()) == list(range(81))
    assert (np.diff(heat.ravel()[np.argsort(rank, axis=None)]) <= 0).all()


def test_road_tells_hot_pixels_that_matter_from_those_that_do_not() -> None:
    rng = np.random.default_rng(0)
    assert road(brightness, square(), patch(), rng=rng) > 0.5
    assert road(brightness, square(), 1 - patch(), rng=rng) < -0.5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_imputed_pixels_are_the_reference_ones() -> None:
    reference = pytest.importorskip("pytorch_grad_cam.metrics.road").NoisyLinearImputer(noise=0)
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (24, 24, 3)).astype(np.uint8)
    removed = rng.random((24, 24)) < 0.6
    ours = imputed(picture, removed, rng=rng, noise=0)
    planes = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32))
    theirs = reference(planes, torch.from_numpy((~removed).astype(np.float32))).numpy()
    assert np.abs(theirs.transpose(1, 2, 0) - ours).max() <= 0.51
    assert np.array_equal(ours[~removed], picture[~removed])


class Bright(nn.Module):
    """Two classes: how bright the patch is, and how bright the rest."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.maps, self.gain = nn.AvgPool2d(2), nn.Parameter(torch.tensor(gain))

    def forward(self, images: Tensor) -> Tensor:
        found = self.maps(images).mean(dim=1) * self.gain
        return torch.stack([found[:, 2:7, 8:14].mean(dim=(1, 2)), found.mean(dim=(1, 2))], dim=1)


def member(untrained: nn.Module, monkeypatch: pytest.MonkeyPatch) -> Member:
    info = ModelInfo(
        backbone="custom-cnn",
        classes=("patch", "rest"),
        input_px=32,
        crop_px=None,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        weights="random",
    )
    monkeypatch.setattr("naturalize.explain.member.cam_layer", lambda info: "maps")
    return Member("bright", Bright(20.0), untrained, info)


def test_trust_of_a_right_picture_and_of_one_that_nothing_was_learned_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same = member(Bright(20.0), monkeypatch)
    heat, cell = same.heat(square(), 0, FEW), patch() > 0
    rng = np.random.default_rng(0)
    found = measure_trust(same, square(), heat, 0, FEW, cell=cell, rng=rng)
    assert found.in_cell is not None and found.cell_area is not None
    assert found.in_cell > 0.8 > found.cell_area
    assert found.insertion > found.deletion
    assert found.road > 0
    assert found.like_untrained == pytest.approx(1)
    assert found.doubts() == ("an untrained network draws much the same",)
    none = np.zeros((32, 32), np.float32)
    flat = measure_trust(same, square(), none, 0, FEW, cell=None, rng=rng)
    assert (flat.in_cell, flat.cell_area, flat.like_untrained) == (None, None, None)


def test_doubts_and_means_leave_out_what_was_not_measured() -> None:
    bad = Trust(0.6, 0.4, -0.1, 0.1, 0.2, 0.9)
    assert len(bad.doubts()) == 4
    good = Trust(0.1, 0.8, 0.5, None, None, 0.0)
    assert good.doubts() == ()
    assert means([bad, good]) == {
        "deletion": 0.35,
        "insertion": 0.6,
        "road": 0.2,
        "in_cell": 0.1,
        "cell_area": 0.2,
        "like_untrained": 0.45,
    }


def test_likeness_is_of_ranks() -> None:
    heat = np.random.default_rng(0).random((8, 8), dtype=np.float32)
    assert likeness(heat, heat**3) == pytest.approx(1)
    assert likeness(heat, -heat) == pytest.approx(-1)
    assert likeness(heat, np.zeros((8, 8), np.float32)) is None


def test_heat_is_painted_in_known_colours() -> None:
    ramp = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (16, 1))
    jet, viridis = painted(ramp, 64, "jet"), painted(ramp, 64, "viridis")
    assert jet.shape == (64, 64, 3)
    assert jet[0, 0].argmax() == 2 and jet[0, -1].argmax() == 0
    assert (np.diff(viridis[0].astype(int).sum(axis=1)) >= -3).all()
    assert np.abs(laid_over(np.zeros_like(jet), jet).astype(int) - jet / 2).max() <= 0.5


def test_explanations_hold_pictures_figures_and_truth(
    runs: list[Artefact], split: Artefact, tmp_path: Path
) -> None:
    real = RealSplit.load(split)
    stranger = tmp_path / "new.jpg"
    stranger.write_bytes((real.root / real.test[0].id).read_bytes() + b"\0")
    listed = pictured([real.root / real.test[0].id, stranger], known_to(real))
    made = make_explanations(runs, listed, tmp_path / "out", asked=Asked(settings=FEW))
    found = load_explanations(made)
    assert [(e.number, e.run, e.truth, e.side) for e in found] == [
        (1, "custom-cnn", real.test[0].label, "test"),
        (1, "timm:test_vit", real.test[0].label, "test"),
        (2, "custom-cnn", "", ""),
        (2, "timm:test_vit", "", ""),
    ]
    for one in found:
        assert one.asked == one.predicted
        for kind in ("original", "heat", "overlay"):
            assert read(made.path / one.picture(kind)).shape == (256, 256, 3)
    page = (made.path / "gallery.html").read_text()
    assert page.count('<li style="--o0:') == 4
    assert "<script" not in page
    rows = read_table(made.path / "explanations.csv")
    assert len(rows) == 4 and float(rows[0]["insertion"]) == pytest.approx(
        found[0].trust.insertion,
        abs=1e-3,  # type: ignore[union-attr]
    )
    assert set(made.summary["trust"]) == {"custom-cnn", "timm:test_vit"}
    again = make_explanations(runs, listed, tmp_path / "again", asked=Asked(settings=FEW))
    assert again.manifest["content_sha256"] == made.manifest["content_sha256"]


def test_one_test_image_of_each_class_is_drawn_by_seed(split: Artefact) -> None:
    real = RealSplit.load(split)
    shown = one_each_class(real, seed=0)
    assert [one.truth for one in shown] == list(real.classes)
    assert {one.name for one in shown} <= {sample.id for sample in real.test}
    assert {one.sha256 for one in shown} <= {sample.sha256 for sample in real.test}


def test_an_image_that_changes_meanwhile_is_refused(tmp_path: Path, split: Artefact) -> None:
    real = RealSplit.load(split)
    file = tmp_path / "a.jpg"
    file.write_bytes((real.root / real.test[0].id).read_bytes())
    (one,) = pictured([tmp_path], {})
    file.write_bytes((real.root / real.test[1].id).read_bytes())
    with pytest.raises(ImageError, match="altered since"):
        one.read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="a folder with images"):
        pictured([tmp_path / "empty"], {})


def test_the_verb(runs: list[Artefact], split: Artefact, tmp_path: Path) -> None:
    run, out = str(runs[0].path), str(tmp_path / "out")
    words = ["explain", run, "--each-class", "--no-trust", "--channels", "4", "--class", "SNE"]
    done = CliRunner().invoke(app, [*words, "--colours", "viridis", "-o", out, "--json"])
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["kind"] == "explanations"
    assert manifest["summary"] == {"images": 11, "trust": {}}
    found = load_explanations(Artefact(tmp_path / "out", "explanations", "", manifest))
    assert {one.asked for one in found} == {"SNE"}
    assert decode((tmp_path / "out" / found[0].picture("heat")).read_bytes()).shape == (256, 256, 3)


def test_a_run_far_from_its_split_explains_without_truth(
    runs: list[Artefact], split: Artefact, tmp_path: Path
) -> None:
    real = RealSplit.load(split)
    alone = shutil.copytree(runs[0].path, tmp_path / "far" / "away" / "run")
    words = ["explain", str(alone), str(real.root / real.test[0].id), "--no-trust", "-o"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "out"), "--channels", "4"])
    assert done.exit_code == 0, done.output
    assert "warning: the truth is not known" in done.output
    rows = read_table(tmp_path / "out" / "explanations.csv")
    assert [(row["truth"], row["side"]) for row in rows] == [("", "")]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "some, or --each-class, got neither"),
        (["x.jpg", "--each-class"], "got both"),
        (["--each-class", "--class", "XYZ"], "--class: expected one of"),
        (["--each-class", "--channels", "few"], "a whole number or all"),
        (["nowhere.jpg"], "a readable file"),
    ],
)
def test_mistakes_leave_nothing(
    runs: list[Artefact], tmp_path: Path, more: list[str], says: str
) -> None:
    done = CliRunner().invoke(app, ["explain", str(runs[0].path), *more, "-o", str(tmp_path / "o")])
    assert says in str(done.exception)
    assert isinstance(done.exception, InputError)
    assert not list(tmp_path.iterdir())
