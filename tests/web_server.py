"""A web server that answers as it is told: well, badly, late or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from naturalize.datasets.http_get import Patience

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


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread of its own."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
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
