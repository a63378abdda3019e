from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from naturalize.cli.app import app
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.public_index import IndexEntry, load_index
from naturalize.datasets.verify import verify
from naturalize.errors import InputError
from tests_images import jpeg, write_tree

FILES = {
    "basophil/BA_1.jpg": jpeg(1),
    "basophil/BA_2.jpg": jpeg(2),
    "ig/MY_1.jpg": jpeg(3),
    "ig/.DS_1.jpg": b"no image",
}
INDEX = tuple(
    IndexEntry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()
)


def as_folder(home: Path, files: dict[str, bytes]) -> Path:
    return write_tree(home / "PBC_dataset_normal_DIB", files)


def as_folder_in_a_folder(home: Path, files: dict[str, bytes]) -> Path:
    return as_folder(home / "download", files).parent


def as_zip(home: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(home / "pbc.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"a/PBC_dataset_normal_DIB/{name}", data)
        archive.writestr("__MACOSX/._x", b"junk")
    return home / "pbc.zip"


def as_data_set(home: Path, files: dict[str, bytes]) -> Path:
    return import_dataset(as_folder(home, files), home / "dataset").path


SHAPES = [as_folder, as_folder_in_a_folder, as_zip, as_data_set]
Shape = Callable[[Path, dict[str, bytes]], Path]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_data_set_itself_is_whole(shape: Shape, tmp_path: Path) -> None:
    files = FILES | {"basophil/.DS_Store": b"litter"}
    found = verify(shape(tmp_path, files), INDEX)
    assert found.whole
    assert (found.expected, found.same) == (4, 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_each_difference_is_named(shape: Shape, tmp_path: Path) -> None:
    same_size = FILES["basophil/BA_2.jpg"][:-1] + b"\0"
    files = {
        "basophil/BA_2.jpg": same_size,
        "ig/MY_1.jpg": FILES["ig/MY_1.jpg"] + b"\0",
        "ig/.DS_1.jpg": b"no image",
        "ig/BA_1.jpg": FILES["basophil/BA_1.jpg"],
        "ig/PMY_9.jpg": jpeg(9),
    }
    found = verify(shape(tmp_path, files), INDEX)
    assert found.same == 1
    assert found.missing == (("basophil/BA_1.jpg", "not there"),)
    size = len(FILES["ig/MY_1.jpg"])
    assert found.altered == (
        ("basophil/BA_2.jpg", "other bytes of the same number"),
        ("ig/MY_1.jpg", f"{size + 1:,} bytes instead of {size:,}"),
    )
    assert found.extra == (
        ("ig/BA_1.jpg", "the bytes of basophil/BA_1.jpg"),
        ("ig/PMY_9.jpg", "not in the index"),
    )


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("naturalize.datasets.verify._FILES_PER_STEP", 2)
    target = as_folder(tmp_path, FILES | {"ig/x.jpg": b""})
    assert verify(target, INDEX, workers=2) == verify(target, INDEX)


def test_what_cannot_be_read_is_altered_not_a_traceback(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, FILES)
    (folder / "ig/MY_1.jpg").unlink()
    (folder / "ig/MY_1.jpg").symlink_to(folder / "nowhere")
    (folder / "ig/loop").symlink_to(folder)
    found = verify(folder, INDEX)
    assert [path for path, _ in found.altered] == ["ig/MY_1.jpg"]
    assert found.extra == (("ig/loop", "a link to a folder, not followed"),)


def test_a_damaged_entry_of_a_zip_is_altered(tmp_path: Path) -> None:
    path = as_zip(tmp_path, FILES)
    data = path.read_bytes()
    path.write_bytes(data.replace(FILES["ig/MY_1.jpg"], FILES["ig/MY_1.jpg"][::-1]))
    found = verify(path, INDEX)
    assert [name for name, _ in found.altered] == ["ig/MY_1.jpg"]
    assert found.same == 3


def test_what_is_there_no_more_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        verify(tmp_path / "no", INDEX)


def test_the_shipped_index_is_complete() -> None:
    index = load_index("pbc_index.csv.xz")
    assert len({entry.path for entry in index}) == 17_093
    assert all(re.fullmatch("[0-9a-f]{64}", entry.sha256) for entry in index)
    # 17 pairs of images hold the same bytes
    assert len({entry.sha256 for entry in index}) == 17_093 - 17


def test_the_files_at_hand_are_those_of_the_index(shared_data: Path) -> None:
    kept = ("erythroblast/ERB_1", "platelet/PLATELET_1")
    index = [e for e in load_index("pbc_index.csv.xz") if e.path.startswith(kept)]
    found = verify(shared_data / "PBC_dataset_normal_DIB", index)
    assert found.same > 100
    assert found.altered == ()


def test_the_command(tmp_path: Path) -> None:
    folder = as_folder(tmp_path, FILES | {"ig/odd\nname [/b].jpg": b""})
    run = CliRunner().invoke
    shown = run(app, ["verify", str(folder)])
    assert shown.exit_code == 0
    assert r"ig/odd\nname [/b].jpg" in shown.stdout
    strict = run(app, ["verify", str(folder), "--strict", "--json"])
    assert strict.exit_code == 1
    told = json.loads(strict.stdout)
    assert (told["expected"], told["same"], told["whole"]) == (17_093, 0, False)
    assert len(told["missing"]) == 17_093
    assert isinstance(run(app, ["verify", ""]).exception, InputError)
    assert isinstance(run(app, ["verify", str(folder), "--against", "x"]).exception, InputError)
