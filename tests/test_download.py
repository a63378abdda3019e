from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from naturalize.cli.app import app
from naturalize.datasets import download as download_module
from naturalize.datasets.download import download
from naturalize.datasets.fetch import RemoteFile
from naturalize.datasets.http_get import DownloadError, get_text
from naturalize.datasets.mendeley import find_file
from naturalize.datasets.public_index import IndexEntry
from naturalize.datasets.sources import SOURCES
from naturalize.errors import InputError
from tests_images import jpeg
from web_server import Clock, Handler, Server, serving, status, whole


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


ENTRY = {
    "filename": "a.zip",
    "id": "1",
    "content_details": {
        "sha256_hash": "AB" * 32,
        "size": 12,
        "download_url": "https://there/a.zip",
        "content_type": "application/zip",
    },
    "size": 12,
}


@pytest.mark.parametrize(
    "listing", [[ENTRY], {"data": [{"filename": "b.txt"}, ENTRY]}, [{"files": {"first": ENTRY}}]]
)
def test_the_listing_is_read_however_it_is_wrapped(listing: object) -> None:
    found = find_file(json.dumps(listing), "a.zip")
    assert found == RemoteFile("a.zip", "https://there/a.zip", 12, "ab" * 32)


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ("<html>moved</html>", "got no JSON: '<html>moved"),
        ("[]", "got no file at all"),
        (json.dumps([{"filename": "b.zip"}]), "got b.zip"),
        (json.dumps([{"filename": "a.zip", "content_details": 3}]), "got an entry with filename"),
        ("[" * 100_000, "got no JSON"),
    ],
)
def test_a_listing_of_another_shape_is_explained(listing: str, message: str) -> None:
    with pytest.raises(DownloadError, match=message):
        find_file(listing, "a.zip")


def test_a_text_is_asked_for_again_where_that_may_help(server: Server, clock: Clock) -> None:
    server.script = [status(503), lambda h: h.reply(200, b"[", Content_Length=2), whole(b"[]")]
    assert get_text(server.url(), clock.patience()) == "[]"
    assert clock.waits == [1, 2]


FILES = {"BA/BA_1.jpg": jpeg(1), "EO/EO_1.jpg": jpeg(2)}


def packed(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"PBC_dataset_normal_DIB/{name}", data)
    return buffer.getvalue()


@pytest.fixture
def public(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Put a small data set in PBC's place, with its listing and index."""
    index = tuple(
        IndexEntry(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in FILES.items()
    )
    monkeypatch.setattr(download_module, "load_index", lambda _: index)
    source = replace(SOURCES["pbc"], listing_url=server.url("/listing"))
    monkeypatch.setitem(SOURCES, "pbc", source)
    return server


def listing(server: Server, body: bytes) -> Callable[[Handler], None]:
    details = {
        "size": len(body),
        "sha256_hash": hashlib.sha256(body).hexdigest(),
        "download_url": server.url("/zip"),
    }
    entry = {"filename": SOURCES["pbc"].file, "content_details": details}
    return lambda h: h.reply(200, json.dumps([entry]).encode())


def test_download_follows_the_listing_and_checks_the_index(public: Server, tmp_path: Path) -> None:
    body = packed(FILES)
    public.script = [listing(public, body), whole(body)]
    path = download("pbc", tmp_path / "data")
    assert path == tmp_path / "data" / "PBC_dataset_normal_DIB.zip"
    assert path.read_bytes() == body


def test_a_zip_the_index_does_not_know_is_not_passed_off(public: Server, tmp_path: Path) -> None:
    body = packed(FILES | {"EO/EO_1.jpg": jpeg(3), "EO/EO_2.jpg": jpeg(4)})
    public.script = [listing(public, body), whole(body)]
    with pytest.raises(DownloadError, match="got 1 of them, 0 missing, 1 extra, 1 altered"):
        download("pbc", tmp_path / "data")


def test_the_command_says_what_to_do_next(public: Server, tmp_path: Path) -> None:
    public.script = [whole(packed(FILES))]
    words = ["download", "pbc", "-o", str(tmp_path / "data"), "--url", public.url("/mirror")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert f"naturalize import {tmp_path / 'data'}" in done.stdout
    again = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(again.stdout)["licence"].startswith("CC BY 4.0")


def test_unknown_data_sets_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data set: expected pbc, got mnist"):
        download("mnist", tmp_path)
    done = CliRunner().invoke(app, ["download", "pbc", "-o", ""])
    assert isinstance(done.exception, InputError)


def test_ctrl_c_says_that_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download_module, "download", interrupted)
    done = CliRunner().invoke(app, ["download", "pbc", "-o", str(tmp_path)])
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr
