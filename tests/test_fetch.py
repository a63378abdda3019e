from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from naturalize.datasets.fetch import RemoteFile, fetch
from naturalize.datasets.http_get import USER_AGENT, DownloadError, Patience
from naturalize.errors import InputError, StorageError
from web_server import BODY, OTHER, Clock, Server, cut, moved, serving, stalled, status, whole

T = TypeVar("T")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


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


def test_of_a_file_no_one_vouches_for_a_finished_part_is_taken(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    """All bytes came, then the connection hung before the last answer: the server says 416."""

    def torn(_: float) -> None:
        raise KeyboardInterrupt

    file = RemoteFile("file", server.url())
    server.script = [cut(len(BODY) - 1)]
    with pytest.raises(KeyboardInterrupt):
        fetch(file, tmp_path, patience=Patience(sleep=torn))
    with (tmp_path / "file.part").open("ab") as part:
        part.write(BODY[-1:])
    server.script = [whole()]
    assert fetch(file, tmp_path, patience=clock.patience()).read_bytes() == BODY
    assert server.asked[-1]["range"] == f"bytes={len(BODY)}-"


def test_of_a_file_no_one_vouches_for_a_part_without_a_name_is_not_gone_on_with(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    file = RemoteFile("file", server.url())
    server.script = [cut(120_000, etag=None)]
    with pytest.raises(DownloadError):
        fetch(file, tmp_path, patience=clock.patience(1))
    server.script = [whole(OTHER)]
    assert fetch(file, tmp_path).read_bytes() == OTHER
    assert "range" not in server.asked[-1]


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


def test_progress_counts_mebibytes_of_the_whole_file(
    server: Server, clock: Clock, tmp_path: Path
) -> None:
    body = BODY * 8
    server.script = [
        lambda h: h.reply(200, body[:1_200_000], Content_Length=len(body)),
        whole(body),
    ]
    seen: list[tuple[int, int]] = []

    def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
        for number, item in enumerate(items, start=1):
            seen.append((number, total))
            yield item

    file = RemoteFile("file", server.url())
    fetch(file, tmp_path, patience=clock.patience(), track=track)
    assert seen == [(1, 2), (2, 2)]
    assert (tmp_path / "file").read_bytes() == body
