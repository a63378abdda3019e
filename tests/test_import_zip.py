from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from naturalize.artefact import Draft
from naturalize.datasets import unzip as unzip_module
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest
from naturalize.errors import InputError, NaturalizeError, StorageError
from tests_images import jpeg

GOOD = {"a/1.jpg": jpeg(1), "b/1.jpg": jpeg(2)}


def write_zip(path: Path, *extra: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (*GOOD.items(), *extra):
            archive.writestr(name, data)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message):
        import_dataset(path, path.parent / "out")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_links_are_refused(tmp_path: Path) -> None:
    assert_refused(write_zip(tmp_path / "in.zip", (link("a/x"), b"/etc")), "a zip without links")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["a/1.jpg", "a//1.jpg", "./a/1.jpg"])
def test_names_used_twice_are_refused(tmp_path: Path, name: str) -> None:
    assert_refused(write_zip(tmp_path / "in.zip", (name, jpeg(3))), "every name once")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    bomb = b"\0" * (80 * 2**20)
    assert_refused(write_zip(tmp_path / "in.zip", ("a/2.bmp", bomb)), "a zip bomb")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MAX_FILE_BYTES", 100, "files of at most 256 MiB"),
        ("MAX_UNPACKED_BYTES", 1000, "at most 50 GiB unpacked"),
        ("MAX_ENTRIES", 1, "at most 1 files, got 2"),
    ],
)
def test_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    monkeypatch.setattr(unzip_module, limit, value)
    assert_refused(write_zip(tmp_path / "in.zip"), message)


def test_a_header_that_lies_about_the_size_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip", ("a/2.bmp", b"\0" * 2**20))
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        header = data.rindex(signature)
        struct.pack_into("<I", data, header + at, 50)
    path.write_bytes(data)
    assert_refused(path, "whole, open zip")


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "in.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert_refused(path, "without a password")


@pytest.mark.parametrize("at", range(0, 1500, 60))
def test_a_damaged_zip_is_refused_or_unpacked_whole(tmp_path: Path, at: int) -> None:
    path = write_zip(tmp_path / "in.zip")
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x55
    path.write_bytes(data)
    try:
        made = import_dataset(path, tmp_path / "out")
    except NaturalizeError:
        assert not (tmp_path / "out").exists()
    else:
        assert len(Manifest.load(made).samples) == 2


def test_a_full_disk_is_seen_before_unpacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(StorageError, match="bytes are needed to unpack, 10 are free"):
        import_dataset(write_zip(tmp_path / "in.zip"), tmp_path / "out")


def test_an_interrupted_unpacking_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "in.zip")
    honest = Draft.write

    def killed(draft: Draft, name: str, data: bytes | str) -> Path:
        if name.endswith("b/1.jpg"):
            raise KeyboardInterrupt
        return honest(draft, name, data)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Draft, "write", killed)
        import_dataset(path, tmp_path / "out")
    resumed = import_dataset(path, tmp_path / "out", if_exists="resume")
    assert resumed.id == import_dataset(path, tmp_path / "again").id


def test_another_zip_of_the_same_length_is_another_request(tmp_path: Path) -> None:
    one = tmp_path / "one.zip"
    other = tmp_path / "other.zip"
    for path, byte in ((one, b"x"), (other, b"y")):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in GOOD.items():
                archive.writestr(name, data + byte)
    assert one.stat().st_size == other.stat().st_size
    import_dataset(one, tmp_path / "out")
    with pytest.raises(InputError, match="the same inputs"):
        import_dataset(other, tmp_path / "out", if_exists="resume")
