from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.curate.clean import curate
from naturalize.curate.exposure import clipped_shares, find_exposure
from naturalize.curate.finding import Finding
from naturalize.curate.focus import find_focus, sharpness
from naturalize.curate.leak_groups import leak_groups
from naturalize.curate.near_duplicates import ORIENTATIONS, orient, orient_hash, perceptual_hash
from naturalize.curate.source import (
    acquisition_sources,
    background,
    chroma_sampling,
    find_source,
)
from naturalize.curate.spread import robust_z
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_table
from naturalize.datasets.phantom import write_phantom
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.images import Rgb
from tests_images import write_tree


def picture(seed: int, side_px: int = 96) -> Rgb:
    """Return dark blobs on a bright ground, with grain."""
    rng = np.random.Generator(np.random.PCG64(seed))
    blobs = cv2.GaussianBlur(rng.random((side_px, side_px, 3)).astype(np.float32), (0, 0), 4)
    blobs = (blobs - blobs.min()) / np.ptp(blobs)
    return (90 + 140 * blobs + rng.normal(0, 3, blobs.shape)).clip(0, 255).astype(np.uint8)


def sample(name: str, label: str = "", group: str = "") -> Sample:
    label = label or name.partition("/")[0]
    return Sample(
        id=name, label=label, group=group or name, source="", height_px=9, width_px=9, sha256=name
    )


def findings_of(files: dict[str, bytes], home: Path) -> list[dict[str, str]]:
    dataset = import_dataset(write_tree(home / "in", files), home / "dataset")
    return read_table(curate(dataset, home / "out").path / "findings.csv")


def resized(rgb: Rgb, side_px: int) -> Rgb:
    size = (side_px, side_px)
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


COPIES = {
    "encoded again": lambda rgb: images.encode_jpeg(rgb, quality=40, chroma="4:2:0"),
    "brighter": lambda rgb: images.encode_jpeg((rgb * 1.08).clip(0, 255).astype(np.uint8)),
    "smaller": lambda rgb: images.encode_png(resized(rgb, 80)),
    **{
        f"orientation {i}": lambda rgb, i=i: images.encode_jpeg(
            np.ascontiguousarray(np.dstack([orient(rgb[..., c], i) for c in range(3)])), quality=85
        )
        for i in range(1, ORIENTATIONS)
    },
}


def test_copies_are_found_however_they_were_stored(tmp_path: Path) -> None:
    files = {f"a/{i}.png": images.encode_png(picture(i)) for i in range(len(COPIES) + 12)}
    for i, (name, copy) in enumerate(COPIES.items()):
        files[f"b/{name}.jpg"] = copy(picture(i))
    rows = findings_of(files, tmp_path)
    found = {row["path"]: row["other_path"] for row in rows if row["kind"] == "near_duplicate"}
    assert found == {f"b/{name}.jpg": f"a/{i}.png" for i, name in enumerate(COPIES)}
    conflicts = Counter(row["path"] for row in rows if row["kind"] == "label_conflict")
    assert conflicts == Counter([*found, *found.values()])


@given(seed=st.integers(0, 1000), orientation=st.integers(0, ORIENTATIONS - 1))
@settings(max_examples=40, deadline=None)
def test_the_hash_turns_with_the_picture(seed: int, orientation: int) -> None:
    grey = picture(seed)[..., 1]
    turned = perceptual_hash(np.ascontiguousarray(orient(grey, orientation)))
    expected = orient_hash(perceptual_hash(grey)[None], orientation)[0]
    assert (turned == expected).mean() > 0.95


def test_the_orientations_are_the_eight_of_the_square() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    turned = [orient(grey, i) for i in range(ORIENTATIONS)]
    known = [np.rot90(flipped, k) for flipped in (grey, grey[:, ::-1]) for k in range(4)]
    assert {t.tobytes() + bytes(t.shape) for t in turned} == {
        k.tobytes() + bytes(k.shape) for k in known
    }


def test_a_blurred_picture_stands_out(tmp_path: Path) -> None:
    files = {
        f"{c}/{i}.png": images.encode_png(picture(i + 50 * ord(c))) for c in "ab" for i in range(15)
    }
    soft = cv2.GaussianBlur(picture(999), (0, 0), 2)
    files["a/soft.png"] = images.encode_png(np.asarray(soft, np.uint8))
    rows = [row for row in findings_of(files, tmp_path) if row["kind"] == "focus"]
    assert [row["path"] for row in rows] == ["a/soft.png"]
    assert float(rows[0]["value"]) < -6


def test_sharpness_falls_with_blur_and_ignores_gain() -> None:
    rgb = picture(1)
    values = [
        sharpness(np.asarray(cv2.GaussianBlur(rgb, (0, 0), s), np.uint8)) for s in (0.5, 0.8, 1.2)
    ]
    assert sharpness(rgb) > values[0] > values[1] > values[2]
    assert sharpness((rgb // 2).astype(np.uint8)) == pytest.approx(sharpness(rgb), abs=0.3)
    assert np.isfinite(sharpness(np.full((20, 20, 3), 255, np.uint8)))


def test_robust_z_is_a_z_score_of_normal_figures() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    values = rng.normal(7, 2, 20_000)
    scores = robust_z(values, np.zeros(20_000, np.intp), least_spread=0.1)
    assert scores == pytest.approx((values - 7) / 2, abs=0.15)


def test_each_source_is_its_own_yardstick() -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    usual = np.concatenate([rng.normal(0, 1, 500), rng.normal(50, 1, 40), [50.0, 3.0, 9.0]])
    sources = np.repeat([0, 1, 2], [500, 41, 2])
    paths = [str(i) for i in range(543)]
    assert [f.path for f in find_focus(paths, -usual, sources)] == []
    usual[3] = 50.0
    assert [f.path for f in find_focus(paths, -usual, sources)] == ["3"]


def test_exposure_names_what_is_wrong() -> None:
    n = 60
    figures = {
        "background": np.linspace(218, 222, n),
        "white": np.zeros(n),
        "black": np.zeros(n),
    }
    figures["background"][:2] = (150, 250)
    figures["white"][7], figures["black"][8] = 0.4, 0.2
    found = list(find_exposure([str(i) for i in range(n)], figures, np.zeros(n, np.intp)))
    assert {f.path: f.reason for f in found} == {
        "0": "too dark: background 150",
        "1": "too bright: background 250",
        "7": "clipped: 40% of its pixels are white",
        "8": "clipped: 20% of its pixels are black",
    }


def test_clipped_pixels_are_counted_in_all_channels_at_once() -> None:
    rgb = np.full((20, 20, 3), (255, 255, 200), np.uint8)
    assert clipped_shares(rgb) == (0, 0)
    rgb[:10], rgb[10:15] = 255, 0
    assert clipped_shares(rgb) == pytest.approx((0.5, 0.25), abs=0.051)


@pytest.mark.parametrize("subsampling, name", [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
@pytest.mark.parametrize("progressive", [False, True])
def test_chroma_sampling_is_read_from_the_header(
    subsampling: int, name: str, progressive: bool
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture(0)).save(
        buffer,
        "JPEG",
        subsampling=subsampling,
        progressive=progressive,
        exif=b"Exif\0\0" + b"\1" * 99,
    )
    assert chroma_sampling(buffer.getvalue()) == name


@given(data=st.binary(max_size=60), cut=st.integers(0, 700))
@settings(max_examples=100, deadline=None)
def test_any_bytes_have_a_chroma_sampling_or_none(data: bytes, cut: int) -> None:
    whole = images.encode_jpeg(picture(0, 16))
    for damaged in (data, b"\xff\xd8" + data, whole[:cut], whole[:cut] + data):
        assert isinstance(chroma_sampling(damaged), str)
    assert chroma_sampling(images.encode_png(picture(0, 16))) == ""


def test_background_is_the_bare_slide() -> None:
    rgb = np.full((60, 60, 3), (250, 230, 205), np.uint8)
    rgb[10:50, 5:50] = (150, 60, 140)
    assert background(rgb) == (250, 230, 205)


def colours(*groups: tuple[int, tuple[int, int, int]]) -> NDArray[np.float64]:
    rng = np.random.Generator(np.random.PCG64(0))
    return np.concatenate([rng.integers(-4, 5, (n, 3)) + colour for n, colour in groups]).astype(
        float
    )


def test_sources_are_told_by_colour_and_by_chroma_sampling() -> None:
    seen = colours(
        (300, (255, 229, 202)), (60, (230, 222, 229)), (40, (255, 229, 202)), (2, (9, 9, 9))
    )
    chroma = ["4:4:4"] * 360 + ["4:2:0"] * 40 + ["4:4:4"] * 2
    expected = [0] * 300 + [1] * 60 + [2] * 40 + [0] * 2
    assert acquisition_sources(seen, chroma).tolist() == expected
    assert acquisition_sources(seen[::-1], chroma[::-1]).tolist() == expected[::-1]
    assert acquisition_sources(colours((3, (1, 2, 3))), [""] * 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("uneven", [True, False])
def test_a_source_is_named_where_it_gives_the_class_away(uneven: bool) -> None:
    samples = [sample(f"{'ab'[i % 2]}/{i}") for i in range(400)]
    inside = [i >= 350 and (i % 2 == 0 or not uneven) for i in range(400)]
    sources = np.array(inside, dtype=np.intp)
    seen = np.where(sources[:, None] == 1, (230.0, 222.0, 229.0), (255.0, 229.0, 202.0))
    found = list(find_source(samples, sources, seen, ["4:4:4"] * 400))
    assert {f.path for f in found} == (
        {s.id for s, i in zip(samples, inside, strict=True) if i} if uneven else set()
    )
    assert all("holds a and no b" in f.reason and f.value == "0.125" for f in found)


def pair(kind: str, one: str, other: str) -> Finding:
    return Finding.model_validate({"kind": kind, "path": one, "other_path": other, "reason": "."})


def test_groups_join_through_others_and_through_groups_there_were() -> None:
    samples = [sample(name, "a", group) for name, group in zip("abcdefg", "aBBdefg", strict=True)]
    findings = [
        pair("same_field", "d", "c"),
        pair("near_duplicate", "e", "d"),
        pair("duplicate", "g", "f"),
        pair("label_conflict", "a", "g"),
    ]
    expected = {"a": "a", "b": "B", "c": "B", "d": "B", "e": "B", "f": "f", "g": "f"}
    assert leak_groups(samples, findings) == expected
    assert leak_groups(samples, findings[::-1]) == expected


def test_phantoms_have_nothing_to_find(tmp_path: Path) -> None:
    made = curate(write_phantom(tmp_path / "phantom", count=60, seed=8), tmp_path / "out")
    assert made.summary["findings"] == {}
    assert made.summary["groups"] == 60


def test_an_unknown_preset_is_named(curated: Artefact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--preset: expected minimal.*, got all"):
        curate(curated.input("dataset"), tmp_path / "out", preset="all")
    assert not (tmp_path / "out").exists()


def test_real_neighbours_are_found(shared_data: Path, tmp_path: Path) -> None:
    """Two pairs, looked at by eye, among other images of their class."""
    pbc = shared_data / "PBC_dataset_normal_DIB"
    twins = {
        "erythroblast": ("ERB_169417.jpg", "ERB_857402.jpg"),
        "eosinophil": ("EO_129141.jpg", "EO_74399.jpg"),
    }
    files = {}
    for folder, names in twins.items():
        others = sorted(p.name for p in (pbc / folder).glob("*.jpg") if p.name not in names)[:20]
        files |= {f"{folder}/{n}": (pbc / folder / n).read_bytes() for n in (*names, *others)}
    dataset = import_dataset(write_tree(tmp_path / "in", files), tmp_path / "dataset")
    made = curate(dataset, tmp_path / "out")
    rows = read_table(made.path / "findings.csv")
    pairs = {frozenset((r["path"], r["other_path"])) for r in rows if r["kind"] == "same_field"}
    assert pairs == {frozenset(f"{folder}/{n}" for n in names) for folder, names in twins.items()}
    assert made.summary["groups"] == len(Manifest.load(made).samples) - 2
