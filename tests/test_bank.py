"""The bank as an artefact: where its masks come from, what it records, its page, its memory."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.cli.app import app
from naturalize.compose.deal import able_counts
from naturalize.compose.recipe import load_recipe
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.make_bank import FORM, make_bank
from naturalize.cutouts.mask_folder import MaskFolder
from naturalize.datasets.manifest import read_sample, read_table
from naturalize.datasets.phantom import load_masks
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError
from naturalize.images import Rgb
from naturalize.segment import Mask, Segmenter, Smear
from naturalize.split.split import RealSplit


@pytest.fixture(scope="module")
def drawn(split: Artefact, dataset: Artefact, home: Path) -> Artefact:
    """A bank cut along the exact masks of the phantom."""
    return make_bank(split, home / "drawn", masks=dataset.path / "masks")


# Masks a user already has


def test_cutouts_are_the_users_masks(drawn: Artefact, dataset: Artefact) -> None:
    bank = CutoutBank.load(drawn)
    assert sum(drawn.summary["subjects"].values()) > 0.85 * drawn.summary["images"]
    agreement = []
    for donor in bank.donors[::4]:
        shape = (donor.height_px, donor.width_px)
        truth = [mask.to_image(shape) for mask in load_masks(dataset, donor.sample_id)]
        for mask in bank.masks(donor.sample_id):
            cut = mask.to_image(shape)
            agreement.append(max((cut & t).sum() / (cut | t).sum() for t in truth))
    assert min(agreement) > 0.9


def test_the_digests_of_the_masks_are_recorded(drawn: Artefact, dataset: Artefact) -> None:
    rows = read_table(drawn.path / "masks.csv")
    assert len(rows) == drawn.summary["images"] == drawn.manifest["parameters"]["files"]
    assert drawn.manifest["parameters"]["segmenter"] == "label images"
    for row in rows:
        data = (dataset.path / "masks" / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert Path(row["file"]).stem == Path(row["sample_id"]).stem


def test_other_masks_are_another_request(
    drawn: Artefact, split: Artefact, dataset: Artefact, tmp_path: Path
) -> None:
    shutil.copytree(dataset.path / "masks", tmp_path / "masks")
    again = make_bank(split, drawn.path, masks=tmp_path / "masks", if_exists="resume")
    assert again.id == drawn.id
    row = read_table(drawn.path / "masks.csv")[0]
    labels = images.decode_labels((tmp_path / "masks" / row["file"]).read_bytes())
    labels[labels == 1] = 0
    (tmp_path / "masks" / row["file"]).write_bytes(images.encode_png(labels.astype(np.uint16)))
    with pytest.raises(InputError, match="the same inputs, parameters and seed"):
        make_bank(split, drawn.path, masks=tmp_path / "masks", if_exists="resume")


def sample(name: str, data: bytes = b"") -> Sample:
    sha256 = hashlib.sha256(data).hexdigest()
    return Sample(
        id=name, label="EO", group=name, source="", height_px=8, width_px=9, sha256=sha256
    )


LABELS = np.pad(np.ones((4, 4), np.uint8), ((2, 2), (3, 2)))


def as_npy(array: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def as_tiff(array: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "TIFF")
    return stream.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


PNG = images.encode_png(LABELS)


@pytest.mark.parametrize(
    "name", ["EO/a.png", "EO/a.tif", "EO/a.npy", "EO/a_cp_masks.png", "EO/a_masks.tiff", "a.png"]
)
def test_label_images_are_found_by_path_or_by_name(tmp_path: Path, name: str) -> None:
    found = MaskFolder.find(put(tmp_path, {name: data_for(name)}), [sample("EO/a.jpg")])
    assert found.files["EO/a.jpg"][0] == name


def data_for(name: str) -> bytes:
    return {".npy": as_npy(LABELS), ".png": PNG}.get(Path(name).suffix, as_tiff(LABELS))


@pytest.mark.parametrize(
    "data",
    [
        {"a.png": PNG},
        {"a.png": images.encode_png(LABELS.astype(np.uint16) * 60_000)},
        {"a.tif": as_tiff(LABELS.astype(np.int32) * 100_000)},
        {"a.npy": as_npy(LABELS.astype(np.int64))},
        {"a.npy": as_npy(LABELS > 0)},
    ],
)
def test_every_whole_number_type_is_read(tmp_path: Path, data: dict[str, bytes]) -> None:
    folder = MaskFolder.find(put(tmp_path, data), [sample("a.jpg")])
    assert folder.masks(sample("a.jpg"), np.zeros((8, 9, 3), np.uint8)) == []


SIX = [sample(f"EO/{i}.jpg") for i in range(6)]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"EO/0.png": PNG, "EO/3.png": PNG}, r"for each of 6 .* got none for 4, EO/1\.jpg first"),
        ({f"EO/{i}.png": PNG for i in range(6)} | {"EO/2.tif": as_tiff(LABELS)},
         r"got several for 1, EO/2\.jpg first"),
        ({f"EO/{i}.png": images.encode_png(LABELS[i % 2 :]) for i in range(6)},
         r"of their images' sizes, got another size for 3, EO/1\.jpg first"),
        ({f"EO/{i}.npy": as_npy(np.zeros((8, 9 - i // 5), int)) for i in range(6)},
         r"another size for 1, EO/5\.jpg first"),
        ({f"EO/{i}.png": b"a letter" for i in range(6)}, r"0\.png: expected an image file"),
        ({f"EO/{i}.npy": as_npy(np.array([None])) for i in range(6)}, "array without pickle"),
    ],
    ids=["missing", "several", "size", "npy size", "no image", "pickle"],
)  # fmt: skip
def test_label_images_that_cannot_serve_are_counted_and_named(
    tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        MaskFolder.find(put(tmp_path, files), SIX)


def test_a_folder_that_is_none_and_files_shared_or_mistaken(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder of label images, got no folder"):
        MaskFolder.find(tmp_path / "nowhere", SIX)
    put(tmp_path, {"a.png": PNG})
    with pytest.raises(InputError, match=r"one shared with another image for 2, EO/a\.jpg first"):
        MaskFolder.find(tmp_path, [sample("EO/a.jpg"), sample("BA/a.jpg")])
    with pytest.raises(InputError, match=r"got the image itself for 1, a\.png first"):
        MaskFolder.find(tmp_path, [sample("a.png", PNG)])


@pytest.mark.parametrize(
    ("file", "data", "says"),
    [
        ("a.png", images.encode_png(np.dstack([LABELS] * 3)), r"a\.png: expected one channel"),
        ("a.npy", as_npy(LABELS / 2), "whole numbers .* got float64"),
        ("a.npy", as_npy(LABELS.astype(np.uint64) << 40), "fit 32 bits"),
    ],
    ids=["colours", "float", "too large"],
)
def test_what_is_no_label_image_is_refused(
    tmp_path: Path, file: str, data: bytes, says: str
) -> None:
    folder = MaskFolder.find(put(tmp_path, {file: data}), [sample("a.jpg")])
    with pytest.raises(ImageError, match=says):
        folder.masks(sample("a.jpg"), np.zeros((8, 9, 3), np.uint8))


def test_a_label_image_altered_meanwhile_is_refused(tmp_path: Path) -> None:
    folder = MaskFolder.find(put(tmp_path, {"a.png": PNG}), [sample("a.jpg")])
    put(tmp_path, {"a.png": images.encode_png(LABELS * 2)})
    with pytest.raises(ImageError, match="one altered since"):
        folder.masks(sample("a.jpg"), np.zeros((8, 9, 3), np.uint8))


# What a bank was asked for


def test_the_segmenter_and_its_parameters_are_part_of_the_request(
    bank: Artefact, split: Artefact
) -> None:
    said = bank.manifest["parameters"]
    assert said == {"form": FORM, "segmenter": "smear", **Smear().parameters()}
    assert make_bank(split, bank.path, segmenter=Smear(), if_exists="resume").id == bank.id
    with pytest.raises(InputError, match="the same inputs, parameters and seed"):
        make_bank(split, bank.path, segmenter=Smear(microns_per_px=0.1), if_exists="resume")


@dataclass(frozen=True)
class Blind(Segmenter):
    """Finds nothing."""

    patience: int = 3

    def segment(self, rgb: Rgb) -> list[Mask]:
        return []


def test_a_segmenter_of_ones_own_tells_its_parameters() -> None:
    assert Blind().parameters() == {"patience": 3}
    assert Blind().segment_all([np.zeros((9, 9, 3), np.uint8)] * 2) == [[], []]


def test_without_any_cell_the_error_says_why(split: Artefact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none that could be cut among .* no nucleated cell"):
        make_bank(split, tmp_path / "x", segmenter=Blind())
    assert not (tmp_path / "x").exists()


def test_masks_and_a_segmenter_exclude_each_other(split: Artefact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--with, --masks: expected one of the two"):
        make_bank(split, tmp_path / "x", segmenter=Smear(), masks=tmp_path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--with", "sams"], "--with: expected smear or sam, got sams"),
        (["--weights", "x"], "--weights: expected no such option for --with smear, got x"),
        (["--with", "sam", "--microns-per-px", "0.1"], "no such option for --with sam"),
        (["--microns-per-px", "-1"], "microns_per_px: expected a number above 0"),
        (["--with", "sam", "--prompts", "wish"], "prompts: expected smear or grid, got wish"),
        (["--masks", "m", "--with", "smear"], "--masks: expected no segmenter"),
        (["--masks", "m", "--prompts", "grid"], "--masks: expected no segmenter"),
    ],
)
def test_options_that_do_not_go_together(
    split: Artefact, tmp_path: Path, words: list[str], says: str
) -> None:
    done = CliRunner().invoke(app, ["cut", str(split.path), "-o", str(tmp_path / "x"), *words])
    assert isinstance(done.exception, InputError)
    assert says in str(done.exception)
    assert not (tmp_path / "x").exists()


# What a person sees


def test_every_train_image_gives_a_subject_or_says_why_not(bank: Artefact) -> None:
    loaded = CutoutBank.load(bank)
    with_subject = {row.sample_id for row in loaded.rows if row.label}
    refused = {item.sample_id for item in loaded.turned_down()}
    assert {donor.sample_id for donor in loaded.donors} <= with_subject | refused


def test_outlines_of_what_was_turned_down_lie_on_the_object(bank: Artefact) -> None:
    for item in CutoutBank.load(bank).turned_down()[::7]:
        points = np.array([p.split(",") for p in item.outline.split()], int).reshape(-1, 2)
        if len(points):
            assert points.min(axis=0).tolist() >= [item.box.top, item.box.left]
            assert (points.max(axis=0) < [item.box.bottom, item.box.right]).all()


def test_the_page_counts_and_shows_what_was_taken_and_turned_down(bank: Artefact) -> None:
    page = (bank.path / "contact.html").read_text()
    loaded = CutoutBank.load(bank)
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "<script" not in page
    for label in loaded.classes:
        total = len(loaded.subjects(label))
        assert f"<p>{label}: {min(8, total)} of {total}</p>" in page
    counts = Counter(item.refusal.reason for item in loaded.turned_down())
    for reason in counts:
        assert reason in page
    shown = page.count("data:image/jpeg;base64,")
    assert shown >= sum(min(8, len(loaded.subjects(label))) for label in loaded.classes)
    assert len(page) < 5_000_000


# What it holds open


def test_pixels_are_read_when_asked_for_and_no_shard_stays_open(
    split: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Path("/proc/self")
    if not process.is_dir():
        pytest.skip("no list of open files here")
    monkeypatch.setattr("naturalize.cutouts.make_bank.SHARD_PIXELS", 1)
    made = make_bank(split, tmp_path / "bank")
    shards = list((made.path / "shards").iterdir())
    assert len(shards) == made.summary["images"]
    loaded = CutoutBank.load(made)
    real = RealSplit.load(split)
    samples = {s.id: s for s in real.train}

    for row in loaded.rows[::10]:
        donor = read_sample(real.root, samples[row.sample_id])
        assert (loaded.cutout(row.id).pixels == donor[row.box.slices]).all()
        assert not loaded.cutout(row.id).pixels.flags.writeable
    assert str(made.path) not in (process / "maps").read_text()
    opened = [file.resolve() for file in (process / "fd").iterdir()]
    assert not any(file.is_relative_to(made.path) for file in opened)


def test_a_bank_of_an_earlier_version_composes_cell_by_cell(bank: Artefact, tmp_path: Path) -> None:
    earlier = replace(bank, path=tmp_path / "bank")
    shutil.copytree(bank.path, earlier.path)
    rows = read_table(earlier.path / "donors.csv")
    columns = [name for name in rows[0] if name != "file_bytes"]
    lines = [",".join(columns), *(",".join(row[name] for name in columns) for row in rows)]
    (earlier.path / "donors.csv").write_text("\n".join(lines) + "\n")
    loaded = CutoutBank.load(earlier)
    assert set(able_counts(load_recipe("recomposed"), loaded)) == set(loaded.classes)
    with pytest.raises(InputError, match="got one of an earlier version"):
        able_counts(load_recipe("naturalize"), loaded)
