from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.curate import find_all
from naturalize.curate.clean import curate
from naturalize.curate.landmarks import Grey, describe, landmarks, reduction, shrink
from naturalize.curate.registration import refine, register
from naturalize.curate.same_field import Fields, confirm, merge, propose_json
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_table
from naturalize.images import Rgb
from naturalize.split.make_split import make_split
from naturalize.split.split import SIDES, RealSplit
from tests_images import write_tree

SIDE_PX = 180


@lru_cache
def slide(seed: int, side_px: int = 330) -> Rgb:
    """Return a plate strewn with dark discs of many sizes and stains."""
    rng = np.random.Generator(np.random.PCG64(seed))
    rgb = np.full((side_px, side_px, 3), (245, 225, 200), np.float64)
    y, x = np.mgrid[-25:26, -25:26]
    for _ in range(50):
        (row, column), radius = rng.integers(25, side_px - 26, 2), rng.uniform(6, 25)
        inside = np.hypot(y, x) < radius
        rgb[row - 25 : row + 26, column - 25 : column + 26][inside] *= rng.uniform(0.4, 0.95, 3)
    return (rgb + rng.normal(0, 1.5, rgb.shape)).clip(0, 255).astype(np.uint8)


def crop(rgb: Rgb, top: int, left: int) -> Rgb:
    return rgb[top : top + SIDE_PX, left : left + SIDE_PX]


def as_jpeg(rgb: Rgb, *, quality: int = 90, gain: float = 1.0) -> bytes:
    brighter = (rgb * gain).clip(0, 255).astype(np.uint8)
    return images.encode_jpeg(brighter, quality=quality, chroma="4:2:0")


def shared(rows: int, columns: int) -> float:
    return (SIDE_PX - abs(rows)) * (SIDE_PX - abs(columns)) / SIDE_PX**2


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artefact, set[frozenset[str]]]:
    """Return a curated set of single crops and of pairs from one slide, and those pairs."""
    home = tmp_path_factory.mktemp("twins")
    files, pairs = {}, set()
    rng = np.random.Generator(np.random.PCG64(0))
    for seed in range(24):
        rgb, names = slide(seed), (f"a/{seed}.jpg", f"b/{seed}.jpg")
        rows, columns = rng.integers(-60, 61, 2).tolist()
        second = slide(seed + 100) if seed % 2 else rgb
        files[names[0]] = as_jpeg(crop(rgb, 75, 75))
        files[names[1]] = as_jpeg(crop(second, 75 + rows, 75 + columns), quality=70, gain=0.93)
        if not seed % 2:
            assert shared(rows, columns) >= 0.4
            pairs.add(frozenset(names))
    dataset = import_dataset(write_tree(home / "in", files), home / "dataset")
    return curate(dataset, home / "curated"), pairs


def test_crops_of_one_slide_are_found_and_no_others(
    twins: tuple[Artefact, set[frozenset[str]]],
) -> None:
    made, pairs = twins
    rows = read_table(made.path / "findings.csv")
    found = [row for row in rows if row["kind"] == "same_field"]
    assert {frozenset((row["path"], row["other_path"])) for row in found} == pairs
    assert all(0.9 <= float(row["value"]) <= 1 for row in found)
    assert all("filed as b and a" in row["reason"] for row in found)


def test_a_split_keeps_them_on_one_side(twins: tuple[Artefact, set[frozenset[str]]]) -> None:
    made, pairs = twins
    split = RealSplit.load(make_split(made, made.path.parent / "split", seed=4))
    side_of = {sample.id: side for side in SIDES for sample in split.side(side)}
    assert len(side_of) == 48
    assert all(len({side_of[name] for name in pair}) == 1 for pair in pairs)
    assert len({s.group for s in Manifest.load(made).samples}) == 48 - len(pairs)


def test_workers_change_nothing(
    twins: tuple[Artefact, set[frozenset[str]]], tmp_path: Path
) -> None:
    made, _ = twins
    again = curate(made.input("dataset"), tmp_path / "again", workers=2)
    assert again.manifest["content_sha256"] == made.manifest["content_sha256"]


def test_an_interrupted_run_goes_on_where_it_stopped(
    twins: tuple[Artefact, set[frozenset[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = twins

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(find_all, "find_same_field", interrupt)
        curate(made.input("dataset"), tmp_path / "out")
    monkeypatch.setattr(find_all, "look_at", interrupt)
    monkeypatch.setattr(find_all, "propose_json", interrupt)
    again = curate(made.input("dataset"), tmp_path / "out", if_exists="resume")
    assert again.manifest["content_sha256"] == made.manifest["content_sha256"]


@given(
    rows=st.integers(-70, 70),
    columns=st.integers(-70, 70),
    seed=st.integers(0, 30),
    factor=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_the_shift_is_exact(rows: int, columns: int, seed: int, factor: int) -> None:
    rgb = slide(seed)
    one, other = crop(rgb, 75, 75), crop(rgb, 75 + rows, 75 + columns)
    rough = round(-rows / factor), round(-columns / factor)
    shift = confirm(one[..., 1], other[..., 1], *rough, factor=factor)
    if shared(rows, columns) < 0.25:
        assert shift is None
    else:
        assert shift is not None
        assert (shift.rows, shift.columns) == (-rows, -columns)
        assert shift.correlation == pytest.approx(1)
        assert shift.overlap == pytest.approx(shared(rows, columns))


@pytest.mark.parametrize("seed", range(4))
def test_different_slides_are_not_confirmed_at_any_shift(seed: int) -> None:
    one, other = crop(slide(seed), 0, 0)[..., 1], crop(slide(seed + 50), 0, 0)[..., 1]
    for rows in range(-90, 91, 45):
        for columns in range(-90, 91, 45):
            assert confirm(one, other, rows, columns, factor=1) is None


def test_correlation_agrees_with_numpy_and_ignores_light() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    one, other = rng.integers(0, 120, (2, 30, 40)).astype(np.uint8)
    expected = np.corrcoef(one[3:, :-5].ravel(), other[:-3, 5:].ravel())[0, 1]
    found = register(one, other, -3, 5)
    assert found.correlation == pytest.approx(expected, abs=1e-5)
    assert found.overlap == pytest.approx(27 * 35 / 1200)
    brighter = (other * 2 + 10).astype(np.uint8)
    assert register(one, brighter, -3, 5).correlation == pytest.approx(expected, abs=1e-5)


def test_a_blank_image_correlates_with_nothing() -> None:
    blank, other = np.full((20, 20), 200, np.uint8), np.eye(20, dtype=np.uint8)
    assert register(blank, other, 0, 0).correlation == 0
    assert register(other, other, 25, 0).overlap == 0
    assert len(landmarks(blank)) == 0


def test_refining_ends_at_the_best_shift() -> None:
    rgb = slide(3)
    one, other = rgb[50:250, 50:250, 1], rgb[80:280, 60:260, 1]
    shift = refine(one, other, -27, -12, step_px=2)
    assert (shift.rows, shift.columns) == (-30, -10)


def positions(grey: Grey) -> dict[tuple[int, int], NDArray[np.float32]]:
    points = landmarks(grey)
    return {(r, c): d for (r, c), d in zip(points.tolist(), describe(grey, points), strict=True)}


def test_landmarks_move_with_the_slide_and_their_descriptors_stay() -> None:
    small = shrink(slide(8), 2)[..., 1]
    one, other = small[:150, :150], small[10:160, 20:170]
    here, there = positions(one), positions(other)
    both = [(d, there[r - 10, c - 20]) for (r, c), d in here.items() if (r - 10, c - 20) in there]
    assert len(both) >= 3
    assert all(float(a @ b) > 0.97 for a, b in both)


def test_every_pair_is_proposed_once_whatever_the_order() -> None:
    small = [shrink(crop(slide(seed), at, at), 2)[..., 1] for seed in range(4) for at in (0, 40)]
    for order in (range(8), range(7, -1, -1)):
        fields = Fields.of([small[i] for i in order])
        proposed = merge([propose_json(fields, start) for start in fields.blocks()])
        pairs = {tuple(sorted((order[a], order[b]))) for a, b in proposed}
        assert {(0, 1), (2, 3), (4, 5), (6, 7)} <= pairs
        assert all(a < b for a, b in proposed)


def test_nothing_comes_of_nothing() -> None:
    assert len(Fields.of([]).owner) == 0
    assert len(Fields.of([np.zeros((9, 9), np.uint8)]).owner) == 0
    assert reduction(np.array([40, 41])) == 1


@pytest.mark.parametrize("factor", [1, 2, 3, 7])
def test_shrinking_is_the_rounded_mean_of_blocks(factor: int) -> None:
    rgb = slide(5)[:31, :45]
    height, width = 31 // factor, 45 // factor
    expected = [
        rgb[r * factor : (r + 1) * factor, c * factor : (c + 1) * factor].mean(axis=(0, 1))
        for r in range(height)
        for c in range(width)
    ]
    difference = shrink(rgb, factor).reshape(-1, 3) - np.array(expected)
    assert np.abs(difference).max() <= 0.5 + 1e-9
