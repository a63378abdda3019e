from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from naturalize.cli.app import app
from naturalize.datasets import download as download_module
from naturalize.datasets.download import download
from naturalize.datasets.fetch import RemoteFile, fetch
from naturalize.datasets.http_get import USER_AGENT, DownloadError, Patience, get_text
from naturalize.datasets.mendeley import find_file
from naturalize.datasets.public_index import IndexEntry
from naturalize.datasets.sources import SOURCES
from naturalize.errors import InputError, StorageError
from tests_images import jpeg

BODY = hashlib.shake_256(b"body").digest(300_000)
OTHER = hashlib.shake_256(b"another").digest(300_000)


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next behaviour of the script, the last one for ever."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append({key.lower(): value for key, value in self.headers.items()})
        script = self.server.script
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def log_message(self, *args: object) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", **headers: object) -> None:
        """Send an answer; ``Content_Length`` may lie, and is left out where it is None."""
        self.send_response(status)
        for key, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    script: list[Callable[[Handler], None]]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, str]] = []
        self.let_go = threading.Event()

    def url(self, path: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the play."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.let_go.set()
    made.shutdown()
    thread.join()
    made.server_close()


def whole(body: bytes = BODY, etag: str = '"one"') -> Callable[[Handler], None]:
    """A good server: honours Range, and If-Range by its ETag."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        if asked is None or handler.headers.get("If-Range", etag) != etag:
            handler.reply(200, body, ETag=etag)
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-"))
        if begin >= len(body):
            handler.reply(416, Content_Range=f"bytes */{len(body)}")
            return
        told = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        handler.reply(206, body[begin:], Content_Range=told, ETag=etag)

    return answer


def cut(at: int, *, etag: str | None = '"one"') -> Callable[[Handler], None]:
    """Drops the connection ``at`` bytes into what was asked for, Range or not."""
    return lambda h: h.reply(200, BODY[:at], Content_Length=len(BODY), ETag=etag)


def status(code: int, **headers: object) -> Callable[[Handler], None]:
    return lambda h: h.reply(code, b"busy", **headers)


def stalled(at: int) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.reply(200, BODY[:at], Content_Length=len(BODY), ETag='"one"')
        handler.wfile.flush()
        handler.server.let_go.wait(20)

    return answer


def moved(path: str) -> Callable[[Handler], None]:
    return lambda h: h.reply(302, Location=h.server.url(path))


@dataclass
class Clock:
    """Stands for time.sleep: remembers instead of waiting."""

    waits: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def patience(self, attempts: int = 4, stall_s: float = 10) -> Patience:
        return Patience(attempts, stall_s=stall_s, sleep=self.waits.append, say=self.told.append)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def remote(server: Server, body: bytes = BODY) -> RemoteFile:
    return RemoteFile("file", server.url(), len(body), hashlib.sha256(body).hexdigest())


HONEST = {
    "at once": ([whole()], []),
    "drops": ([cut(100_000), whole()], [1]),
    "drops twice": ([cut(100_000), cut(100_000), whole()], [1, 2]),
    "ignores Range": (
        [cut(100_000), cut(200_000), lambda h: h.reply(200, BODY, ETag='"one"')],
        [1, 1],
    ),
    "stalls": ([stalled(50_000), whole()], [1]),
    "hangs up": ([lambda h: None, whole()], [1]),
    "busy": ([status(429, Retry_After=7), status(503), whole()], [7, 2]),
    "busy for an hour": ([status(503, Retry_After=3600), whole()], [60]),
    "redirects": ([moved("/there"), moved("/file"), whole()], []),
    "another part": (
        [
            cut(100_000),
            lambda h: h.reply(206, BODY[5:], Content_Range=f"bytes 5-299999/{len(BODY)}"),
            whole(),
        ],
        [1, 2],
    ),
    "an error page": ([cut(100_000), lambda h: h.reply(200, b"<p>sorry"), whole()], [1, 2]),
    "a part without a place": ([lambda h: h.reply(206, BODY[:9]), whole()], [1]),
    "no length": ([lambda h: h.reply(200, BODY, Content_Length=None)], []),
    "no length, cut": (
        [lambda h: h.reply(200, BODY[:70_000], Content_Length=None, ETag='"one"'), whole()],
        [1],
    ),
    "no length, more": (
        [lambda h: h.reply(200, BODY + b"more", Content_Length=None), whole()],
        [1],
    ),
    "wrong bytes once": ([whole(OTHER), whole()], [1]),
    "changed under way": ([cut(100_000, etag='"old"'), whole()], [1]),
}


@pytest.mark.parametrize("case", HONEST)
def test_a_server_with_troubles_still_delivers(
    case: str, server: Server, clock: Clock, tmp_path: Path
) -> None:
    script, waits = HONEST[case]
    server.script = list(script)
    path = fetch(remote(server), tmp_path, patience=clock.patience(stall_s=0.3))
    assert path.read_bytes() == BODY
    assert clock.waits == waits
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert {asked["user-agent"] for asked in server.asked} == {USER_AGENT}


HOPELESS = {
    "lies about content": ([whole(OTHER)], "sha256 .* instead of", 2),
    "lies about length": ([whole(BODY[:-1])], "offers 299,999 bytes, the file has 300,000", 4),
    "always drops at the same place": ([cut(50)], "50 of 300,000 bytes came", 4),
    "never answers": ([stalled(0)], "timed out", 4),
    "never free": ([status(503)], "HTTP 503", 4),
    "not there": ([status(404)], "HTTP 404", 1),
    "not allowed": ([status(403)], "HTTP 403", 1),
    "redirects in a circle": ([moved("/file")], "HTTP 302", 5),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_a_server_that_never_delivers_is_given_up(
    case: str, server: Server, clock: Clock, tmp_path: Path
) -> None:
    script, message, tries = HOPELESS[case]
    server.script = list(script)
    with pytest.raises(DownloadError, match=message):
        fetch(remote(server), tmp_path, patience=clock.patience(stall_s=0.2))
    assert len(server.asked) == tries
    assert not (tmp_path / "file").exists()


def test_a_later_call_asks_for_the_rest_alone(server: Server, clock: Clock, tmp_path: Path) -> None:
    server.script = [cut(120_000)]
    with pytest.raises(DownloadError):
        fetch(remote(server), tmp_path, patience=clock.patience(1))
    server.script = [whole()]
    fetch(remote(server), tmp_path)
    assert server.asked[-1]["range"] == "bytes=120000-"
    assert server.asked[-1]["if-range"] == '"one"'
    assert (tmp_path / "file").read_bytes() == BODY


def test_what_is_left_of_another_file_is_not_gone_on_with(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    server.script = [cut(120_000)]
    with pytest.raises(DownloadError):
        fetch(remote(server), tmp_path, patience=clock.patience(1))
    server.script = [whole(OTHER, '"two"')]
    fetch(remote(server, OTHER), tmp_path)
    assert "range" not in server.asked[-1]
    assert (tmp_path / "file").read_bytes() == OTHER


def test_ctrl_c_leaves_what_has_come(server: Server, tmp_path: Path) -> None:
    def impatient(_: float) -> None:
        raise KeyboardInterrupt

    server.script = [cut(120_000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(remote(server), tmp_path, patience=Patience(sleep=impatient))
    assert (tmp_path / "file.part").read_bytes() == BODY[:120_000]


def test_a_finished_file_is_checked_not_fetched(server: Server, tmp_path: Path) -> None:
    server.script = [whole()]
    (tmp_path / "file").write_bytes(BODY)
    assert fetch(remote(server), tmp_path) == tmp_path / "file"
    assert server.asked == []
    (tmp_path / "file").write_bytes(OTHER)
    with pytest.raises(InputError, match="nothing or the file itself"):
        fetch(remote(server), tmp_path)


def test_room_is_looked_for_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script = [whole()]
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(StorageError, match="300,000 bytes are still to come, 1,000 are free"):
        fetch(remote(server), tmp_path)
    assert not (tmp_path / "file").exists()


def test_two_downloads_do_not_share_a_part(server: Server, tmp_path: Path) -> None:
    server.script = [whole()]

    def twice(_: str) -> None:
        with pytest.raises(InputError, match="one at work"):
            fetch(remote(server), tmp_path)

    server.script = [cut(1000), whole()]
    fetch(remote(server), tmp_path, patience=Patience(sleep=lambda _: None, say=twice))
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(
    "url", ["file:///etc/hosts", "ftp://x/y", "x", "", "http://[x", "http:// x"]
)
def test_odd_addresses_are_refused(url: str, tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(InputError, match="address"):
        fetch(RemoteFile("file", url), tmp_path, patience=clock.patience())


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
