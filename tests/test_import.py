from __future__ import annotations

import os
import sys
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from naturalize.artefact import Artefact
from naturalize.datasets import pbc
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.datasets.public_index import load_index
from naturalize.errors import ImageError, InputError
from tests_images import jpeg, write_tree

TABLE_2 = {
    "neutrophil": 3329,
    "eosinophil": 3117,
    "basophil": 1218,
    "lymphocyte": 1214,
    "monocyte": 1420,
    "ig": 2895,
    "erythroblast": 1551,
    "platelet": 2348,
}
TABLE_3 = {
    "BA": 1218,
    "BNE": 1633,
    "EO": 3117,
    "ERB": 1551,
    "LY": 1214,
    "MMY": 1015,
    "MO": 1420,
    "MY": 1137,
    "PLT": 2348,
    "PMY": 592,
    "SNE": 1646,
}


PBC_FILES = {
    "basophil/BA_1.jpg": jpeg(1),
    "neutrophil/BNE_1.jpg": jpeg(2),
    "neutrophil/NEUTROPHIL_1.jpg": jpeg(3),
    "neutrophil/.DS_169665.jpg": b"\x00\x00\x00\x01Bud1 not an image",
    "ig/IG_1.jpg": jpeg(4),
    "ig/PMY_1.jpg": jpeg(5),
    "platelet/PLATELET_1.jpg": jpeg(6),
}


def test_counts_of_the_papers_tables_come_from_the_names_alone() -> None:
    names = [PurePosixPath(entry.path) for entry in load_index("pbc_index.csv.xz")]
    assert len(names) == 17_093
    assert dict(Counter(n.parts[0] for n in names if not n.name.startswith("."))) == TABLE_2
    labels = Counter(pbc.label_of(name) for name in names)
    unlabelled = labels.pop(None)
    assert dict(labels) == TABLE_3
    assert sum(labels.values()) == 16_891
    assert unlabelled == 151 + 50 + 1  # IG_, NEUTROPHIL_, and the file that is no image


def test_pbc_layout_as_folder(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "PBC_dataset_normal_DIB", PBC_FILES)
    made = import_dataset(source, tmp_path / "out")
    assert made.summary["layout"] == "pbc"
    assert made.summary["counts"] == {"BA": 1, "BNE": 1, "PLT": 1, "PMY": 1}
    assert made.summary["set_aside"] == {"not_an_image": 1, "unlabelled": 2}
    manifest = Manifest.load(made)
    sample = next(s for s in manifest.samples if s.label == "PLT")
    assert (sample.height_px, sample.width_px) == (40, 40)
    assert read_sample(manifest.root, sample).shape == (40, 40, 3)


def test_zip_gives_the_same_samples_as_its_folder(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "data" / "PBC_dataset_normal_DIB", PBC_FILES)
    archive = tmp_path / "pbc.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for name in PBC_FILES:
            stream.write(source / name, f"PBC_dataset_normal_DIB/{name}")
        stream.writestr("__MACOSX/._x", b"junk")
    from_zip = Manifest.load(import_dataset(archive, tmp_path / "a"))
    from_folder = Manifest.load(import_dataset(source, tmp_path / "b"))
    assert from_zip.samples == from_folder.samples
    assert read_sample(from_zip.root, from_zip.samples[0]).shape == (40, 40, 3)


@pytest.mark.parametrize("entry", ["../evil.jpg", "/evil.jpg", "a/../../evil.jpg", "a\\..\\b.jpg"])
def test_zip_entries_that_leave_the_folder_are_refused(tmp_path: Path, entry: str) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("BA/1.jpg", jpeg(1))
        stream.writestr(zipfile.ZipInfo(entry), jpeg(2))
    with pytest.raises(InputError, match="entries inside the zip"):
        import_dataset(archive, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evil.zip"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "a zip with images, got an empty one"),
        (("a/" + 300 * "x" + ".jpg", "b/1.jpg"), "names this system can hold"),
        (("a/0.jpg", "a/0.jpg/x.jpg"), "names this system can hold"),
    ],
    ids=["empty", "long", "clash"],
)
def test_zips_that_cannot_be_unpacked(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as stream:
        for name in names:
            stream.writestr(name, jpeg(1))
    with pytest.raises(InputError, match=message):
        import_dataset(tmp_path / "in.zip", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in.zip"]


def test_a_pipe_is_set_aside_not_waited_for(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", PBC_FILES)
    os.mkfifo(source / "basophil" / "BA_pipe.jpg")
    made = import_dataset(source, tmp_path / "out")
    assert made.summary["set_aside"]["not_an_image"] == 2


def test_output_inside_the_source_is_refused(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", PBC_FILES)
    with pytest.raises(InputError, match="outside the source"):
        import_dataset(source, source / "out")


def test_any_folder_per_class(tmp_path: Path) -> None:
    files = {
        "oak/1.png": jpeg(1),
        "oak/old/2.jpg": jpeg(2),
        "elm/ü 3.jpg": jpeg(3),
        "x.jpg": jpeg(4),
    }
    made = import_dataset(write_tree(tmp_path / "leaves", files), tmp_path / "out")
    assert made.summary["layout"] == "folder"
    assert made.summary["counts"] == {"elm": 1, "oak": 2}
    assert made.summary["set_aside"] == {"unlabelled": 1}


def test_phantom_comes_in_as_written(dataset: Artefact, tmp_path: Path) -> None:
    made = import_dataset(dataset.path, tmp_path / "out")
    assert made.summary["layout"] == "phantom"
    assert made.summary["counts"] == dataset.summary["counts"]
    assert {s.sha256 for s in Manifest.load(made).samples} == {
        s.sha256 for s in Manifest.load(dataset).samples
    }


def test_id_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    here = write_tree(tmp_path / "here", PBC_FILES)
    there = write_tree(tmp_path / "deep" / "there", PBC_FILES)
    assert import_dataset(here, tmp_path / "a").id == import_dataset(there, tmp_path / "b").id


def test_a_file_altered_after_import_is_refused(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "pbc", PBC_FILES)
    manifest = Manifest.load(import_dataset(source, tmp_path / "out"))
    (source / "basophil/BA_1.jpg").write_bytes(jpeg(99))
    altered = next(s for s in manifest.samples if s.label == "BA")
    with pytest.raises(ImageError, match="altered since"):
        read_sample(manifest.root, altered)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "an empty folder"),
        ({"a/1.jpg": jpeg(1)}, "at least two classes, got 1 in 1"),
        ({"a/1.jpg": b"text", "b/1.jpg": b"more text"}, "at least two classes, got 0"),
    ],
    ids=["empty", "one class", "no image"],
)
def test_folders_that_hold_no_data_set(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_tree(source, files)
    with pytest.raises(InputError, match=message):
        import_dataset(source, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        import_dataset(tmp_path / "no", tmp_path / "out")
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(InputError, match="whole, open zip"):
        import_dataset(tmp_path / "text.zip", tmp_path / "out")
    with pytest.raises(InputError, match=r"--as: expected pbc or folder or .*, got yolo"):
        import_dataset(tmp_path, tmp_path / "out", layout="yolo")


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes are Linux's")
def test_any_file_name_survives(tmp_path: Path) -> None:
    names = [
        "a/with space.jpg",
        "a/line\nbreak.jpg",
        "a/old\rMac.jpg",
        "b/größe.jpg",
        'b/comma, "quote".jpg',
    ]
    names.append(os.fsdecode(b"b/latin-\xff.jpg"))
    source = write_tree(tmp_path / "in", {name: jpeg(i) for i, name in enumerate(names)})
    manifest = Manifest.load(import_dataset(source, tmp_path / "out"))
    assert sorted(sample.id for sample in manifest.samples) == sorted(names)
    for sample in manifest.samples:
        assert read_sample(manifest.root, sample).shape == (40, 40, 3)
