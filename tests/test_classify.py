"""Single cells: what the reader says of them, and what it does with what is no cell."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from typer.testing import CliRunner

from naturalize import classify, images
from naturalize.classify.cell_table import COLUMNS
from naturalize.classify.conformal import fit_thresholds, prediction_sets
from naturalize.classify.differential import corrected, differential
from naturalize.classify.familiarity import Familiarity, fit_familiarity
from naturalize.classify.reader import Reader
from naturalize.classify.tiles import tiles
from naturalize.classify.view import cut_view
from naturalize.cli.app import app
from naturalize.datasets.phantom import render, sample_slide
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.seeds import child


@pytest.fixture(scope="module")
def reader() -> Reader:
    return classify.load()


def phantom(label: str, number: int = 0) -> Rgb:
    slide = sample_slide(child(number, "slide"))
    return render(label, rng=child(number, label), slide=slide).image


def predict(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["predict", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_example_of_the_docs_runs(reader: Reader) -> None:
    readme = (Path(__file__).parents[1] / "docs" / "reader.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    scope = {"rgb": phantom("SNE"), "pictures": [phantom("LY"), phantom("EO")]}
    exec(compile(code, "reader.md", "exec"), scope)
    cell = scope["cell"]
    assert cell.label in reader.info.classes  # type: ignore[attr-defined]


def test_one_by_one_all_at_once_and_streamed_are_the_same(reader: Reader) -> None:
    pictures = [phantom(label) for label in ("SNE", "LY", "ERB")]
    at_once = reader.predict_all(pictures)
    streamed = list(reader.stream(iter(pictures)))
    for rgb, one, other in zip(pictures, at_once, streamed, strict=True):
        alone = reader.predict(rgb)
        assert alone.box == one.box == other.box
        assert alone.label == one.label == other.label
        assert np.allclose(alone.probabilities, one.probabilities, atol=1e-3)
        assert sum(one.probabilities) == pytest.approx(1)
        assert one.classes[0] == one.label


def test_the_cell_is_found_wherever_it_lies(reader: Reader) -> None:
    rgb = phantom("SNE")
    wide = np.pad(rgb, ((120, 0), (0, 100), (0, 0)), mode="reflect")
    here, there = reader.predict(rgb), reader.predict(wide)
    assert here.box is not None
    assert there.box is not None
    assert abs(there.box.top - 120 - here.box.top) < 12
    assert abs(there.box.left - here.box.left) < 12


@pytest.mark.parametrize("shape", [(1, 1), (9, 400), (200, 200)])
def test_where_no_cell_is_that_is_said(reader: Reader, shape: tuple[int, int]) -> None:
    cell = reader.predict(np.full((*shape, 3), 235, np.uint8))
    assert (cell.label, cell.reasons) == ("", ("no blood cell found",))


def test_a_folder_is_read_to_the_end_whatever_lies_in_it(tmp_path: Path) -> None:
    home = tmp_path / "cells"
    home.mkdir()
    good = images.encode_png(phantom("EO"))
    (home / "a.png").write_bytes(good)
    (home / "b.txt").write_text("no picture")
    (home / "c.png").write_bytes(good[: len(good) // 2])
    (home / "d.png").write_bytes(images.encode_png(np.full((1, 1, 3), 200, np.uint8)))
    noise = child(0, "noise").integers(0, 256, (240, 320, 3)).astype(np.uint8)
    (home / "e.png").write_bytes(images.encode_png(noise))
    (home / "f.png").write_bytes(good)
    code, _ = predict(home, "-o", tmp_path / "out.csv")
    assert code == 0
    with (tmp_path / "out.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    told = json.loads((tmp_path / "out.json").read_text())
    assert tuple(rows[0])[: len(COLUMNS)] == COLUMNS
    assert [row["path"] for row in rows] == ["a.png", "b.txt", "c.png", "d.png", "e.png", "f.png"]
    reasons = [row["reason"] for row in rows]
    assert reasons[1].startswith("unreadable: ") and reasons[2].startswith("unreadable: ")
    assert reasons[3] == reasons[4] == "no blood cell found"
    assert rows[0]["label"] == rows[5]["label"] != ""
    assert [row["review"] for row in rows[1:5]] == ["yes"] * 4
    assert [cell["label"] for cell in told["cells"]] == [row["label"] for row in rows]
    page = (tmp_path / "out.html").read_text()
    assert "Not readable" in page and "b.txt" in page


def test_a_zip_is_read_as_the_folder_is(tmp_path: Path) -> None:
    home = tmp_path / "cells"
    home.mkdir()
    for label in ("LY", "MO"):
        (home / f"{label}.png").write_bytes(images.encode_png(phantom(label)))
    with zipfile.ZipFile(tmp_path / "cells.zip", "w") as archive:
        for file in sorted(home.iterdir()):
            archive.write(file, file.name)
    for source in ("cells", "cells.zip"):
        assert predict(tmp_path / source, "--centred", "-o", tmp_path / f"{source}.csv")[0] == 0
    assert (tmp_path / "cells.csv").read_text() == (tmp_path / "cells.zip.csv").read_text()


def test_mistakes_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    with pytest.raises(InputError, match="an image file"):
        predict(text, "-o", tmp_path / "out.csv")
    with pytest.raises(InputError, match="nothing there"):
        predict(tmp_path / "absent")
    with pytest.raises(InputError, match=r"\.csv"):
        predict(text, "-o", tmp_path / "out.html")
    with pytest.raises(InputError, match="one of the two"):
        predict(text, "--field", "--centred")
    assert sorted(tmp_path.iterdir()) == [text]


def test_a_view_beyond_the_border_mirrors_the_picture() -> None:
    rgb = child(0, "view").integers(0, 256, (40, 50, 3)).astype(np.uint8)
    padded = np.pad(rgb, ((8, 0), (8, 0), (0, 0)), mode="symmetric")
    assert np.array_equal(cut_view(rgb, Box(-8, -8, 32, 32), 32), padded[:32, :32])


def test_tiles_cover_a_picture_once() -> None:
    seen = np.zeros((2600, 3100), int)
    for inner, tile in tiles(2600, 3100, 200):
        seen[inner.slices] += 1
        assert tile.top <= inner.top and tile.right >= inner.right
    assert (seen == 1).all()


def test_conformal_sets_hold_the_true_class_as_often_as_promised() -> None:
    rng = child(0, "conformal")
    truth = rng.integers(0, 3, 4000)
    logits = rng.normal(size=(4000, 3)) + 1.5 * np.eye(3)[truth]
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    fitted = fit_thresholds(odds[:2000], truth[:2000], coverage=0.9)
    inside = prediction_sets(odds[2000:], fitted.values)
    for place in range(3):
        mine = truth[2000:] == place
        assert inside[mine, place].mean() == pytest.approx(0.9, abs=0.03)


def test_unfamiliar_is_far_in_angle_from_the_fifth_nearest(tmp_path: Path) -> None:
    rng = child(0, "familiar")
    known, asked = (rng.random((n, 30), np.float32) for n in (80, 9))
    exact = fit_familiarity(known, directions=30)
    nearest = NearestNeighbors(n_neighbors=5, metric="cosine").fit(known)
    assert np.allclose(exact.distances(asked), nearest.kneighbors(asked)[0][:, -1], atol=1e-6)
    assert np.allclose(exact.distances(5 * asked), exact.distances(asked), atol=1e-6)
    assert fit_familiarity(known[:2]).distances(known).shape == (80,)
    (tmp_path / "f.npz").write_bytes(exact.to_bytes())
    again = Familiarity.load(tmp_path / "f.npz")
    assert np.allclose(again.distances(asked), exact.distances(asked), atol=2e-3)
    assert again.to_bytes() == exact.to_bytes()


def test_what_train_images_never_showed_is_unfamiliar() -> None:
    rng = child(0, "few directions")
    known = np.abs(rng.normal(size=(60, 40))).astype(np.float32)
    known[:, 20:] = 0
    strange = np.roll(known, 20, axis=1)
    kept = fit_familiarity(known, directions=10)
    assert kept.distances(known).max() < 0.9 < kept.distances(strange).min()


def test_a_reader_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", mean=np.zeros(3), axes=np.eye(3), centres=np.eye(3))
    with pytest.raises(InputError, match="make the reader again"):
        Familiarity.load(tmp_path / "f.npz")


def test_percentages_are_those_that_explain_the_labels_best() -> None:
    rng = child(0, "differential")
    rows = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.1, 0.9]])
    shares = np.array([0.5, 0.1, 0.4])
    assert np.allclose(corrected((shares @ rows)[None], rows[None])[0], shares, atol=1e-3)
    seen = rng.multinomial(5000, shares @ rows)
    classes = ("LY", "MO", "ERB")
    found = differential(
        dict(zip(classes, seen.tolist(), strict=True)),
        classes,
        (1000 * rows).astype(int).tolist(),
        rng=rng,
    )
    assert found.percent["LY"].low < 100 * 0.5 / 0.6 < found.percent["LY"].high
    assert found.nrbc is not None
    assert found.nrbc.low < 100 * 0.4 / 0.6 < found.nrbc.high
    assert sum(found.counted.values()) == pytest.approx(100)


def test_intervals_hold_their_values_however_few_the_cells() -> None:
    classes = ("LY", "MO", "SNE", "BNE", "MY", "MMY", "PMY", "ERB")
    known = (50 * np.eye(len(classes), dtype=int)).tolist()
    found = differential({"MO": 2}, classes, known, rng=child(0, "two cells"))
    assert found.counted["MO"] == 100
    for interval in found.percent.values():
        assert interval.low <= interval.value <= interval.high


def test_few_or_no_leukocytes_are_said_to_be_too_few() -> None:
    rng = child(0, "few")
    known = [[50, 0], [0, 50]]
    assert differential({}, ("LY", "ERB"), known, rng=rng).few
    assert differential({"LY": 99}, ("LY", "ERB"), known, rng=rng).few
    assert not differential({"LY": 100}, ("LY", "ERB"), known, rng=rng).few
