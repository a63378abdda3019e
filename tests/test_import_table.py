from __future__ import annotations

import os
from pathlib import Path

import pytest

from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_sample, read_table
from naturalize.errors import InputError
from naturalize.split.make_split import make_split
from tests_images import jpeg, write_tree

IMAGES = {f"slide {i % 3}/{i}.jpg": jpeg(i) for i in range(6)}


def write_table(home: Path, text: str | bytes) -> Path:
    write_tree(home, IMAGES)
    (home / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return home / "labels.csv"


def test_labels_and_groups_come_from_the_table(tmp_path: Path) -> None:
    text = "\ufeffnote,path,label,group\r\n" + "".join(
        f",{name},{'ab'[i % 2]},{name[:7] if i else ''}\r\n" for i, name in enumerate(IMAGES)
    )
    manifest = Manifest.load(import_dataset(write_table(tmp_path / "in", text), tmp_path / "out"))
    assert manifest.counts() == {"a": 3, "b": 3}
    groups = {sample.id: sample.group for sample in manifest.samples}
    assert groups["slide 0/0.jpg"] == "slide 0/0.jpg"
    assert groups["slide 0/3.jpg"] == "slide 0"
    assert all(read_sample(manifest.root, sample).size for sample in manifest.samples)


def test_what_the_table_names_in_vain_is_set_aside(tmp_path: Path) -> None:
    text = "path,label\nslide 0/0.jpg,a\n./slide 1/1.jpg,b\nslide 2/2.jpg,\ngone.jpg,a\nslide 0,b\n"
    made = import_dataset(write_table(tmp_path / "in", text), tmp_path / "out", layout="csv")
    assert made.summary["counts"] == {"a": 1, "b": 1}
    assert made.summary["files"] == 5
    rows = {row["path"]: row["kind"] for row in read_table(made.path / "set_aside.csv")}
    assert rows == {
        "slide 2/2.jpg": "unlabelled",
        "gone.jpg": "unreadable",
        "slide 0": "not_an_image",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns path and label, got an empty file"),
        ("path;label\na.jpg;a\n", "columns path and label, got path;label"),
        ("file,class\na.jpg,a\n", "columns path and label, got file, class"),
        ("path,label\n", "a table with rows"),
        ("path,label\n../a.jpg,a\n", r"on line 2 a path below .*, got '../a.jpg'"),
        ("path,label\n/etc/hosts,a\n", "on line 2 a path below"),
        ("path,label\n,a\n", "on line 2 a path below"),
        ("path,label\na.jpg\n", "on line 2 a path and a label"),
        ("path,label\na.jpg,a\nb.jpg,b\n./a.jpg,b\n", "a.jpg on lines 2 and 4"),
        ("path,label\na\0.jpg,a\n", "labels.csv: expected"),
        (b"path,label\n\xff\xfe.jpg,a\nx.jpg,b\n", "at least two classes, got 0 in 0"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str | bytes, message: str) -> None:
    table = write_table(tmp_path / "in", text)
    with pytest.raises(InputError, match=message):
        import_dataset(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--as csv: expected a CSV file"):
        import_dataset(tmp_path, tmp_path / "out", layout="csv")


def test_a_table_changed_meanwhile_is_another_request(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", "path,label\nslide 0/0.jpg,a\nslide 1/1.jpg,b\n")
    import_dataset(table, tmp_path / "out")
    table.write_text("path,label\nslide 0/0.jpg,b\nslide 1/1.jpg,a\n")
    with pytest.raises(InputError, match="the same inputs"):
        import_dataset(table, tmp_path / "out", if_exists="resume")


def test_groups_of_the_table_are_kept_whole_by_a_split(tmp_path: Path) -> None:
    files = {f"{i}.jpg": jpeg(100 + i) for i in range(40)}
    write_tree(tmp_path / "in", files)
    rows = [f"{i}.jpg,{'ab'[i % 2]},slide {i // 4}" for i in range(40)]
    table = tmp_path / "in" / "labels.csv"
    table.write_text(os.linesep.join(["path,label,group", *rows]))
    split = make_split(import_dataset(table, tmp_path / "out"), tmp_path / "split", seed=0)
    sides: dict[str, set[str]] = {}
    for row in read_table(split.path / "split.csv"):
        sides.setdefault(row["group"], set()).add(row["side"])
    assert len(sides) == 10
    assert all(len(found) == 1 for found in sides.values())
