"""One HTTP GET, its failures told apart: those worth another try, and those that are final."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, Any

from naturalize import __version__
from naturalize.errors import InputError, NaturalizeError

USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/130.0 Safari/537.36 naturalize/{__version__}"
)
OUT_OF_RANGE = 416
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_BLOCK_BYTES = 2**16
_LEAST_BYTES = 2**10
_GAIN_BYTES = 2**16
_TEXT_BYTES = 2**24


class DownloadError(NaturalizeError):
    """A file could not be fetched. What has come so far is kept, and the same call goes on."""


class InterruptedTransfer(Exception):
    """A failure that may pass; ``wait_s`` is how long the server asks to be left alone."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server.

    It is given up after ``attempts`` tries in a row that brought nothing. The n-th of them is
    followed by ``first_wait_s`` · 2ⁿ⁻¹ seconds or what the server asks for, at most
    ``longest_wait_s``. A server that sends nothing, or less than 1 KiB, in ``stall_s`` seconds is
    hung up on. ``say`` is told why there is a wait.
    """

    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    stall_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda _: None


@dataclass
class Perseverance:
    """Counts the tries at one address; ``reached`` is the farthest position so far, in bytes."""

    url: str
    patience: Patience
    reached: int = 0
    failures: int = field(default=0, init=False)

    def again(self, why: InterruptedTransfer, position: int = 0) -> None:
        """Wait before another try, or raise :class:`DownloadError` when there were enough."""
        gained = position - self.reached >= _GAIN_BYTES
        self.reached = max(self.reached, position)
        self.failures = 1 if gained else self.failures + 1
        if self.failures >= self.patience.attempts:
            raise DownloadError(f"{self.url}: given up after {self.failures} tries: {why}") from why
        asked = self.patience.first_wait_s * 2 ** (self.failures - 1)
        seconds = min(asked if why.wait_s is None else why.wait_s, self.patience.longest_wait_s)
        self.patience.say(f"{why}; trying again in {seconds:g} s")
        self.patience.sleep(seconds)


@dataclass(frozen=True)
class Reply:
    """The head of a server's answer; its body comes in blocks."""

    status: int
    headers: Message
    _body: Any
    _stall_s: float

    @property
    def length(self) -> int | None:
        """The length of the body the server announces, in bytes."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() else None

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it arrives; :class:`InterruptedTransfer` where it stalls or breaks."""
        since, got = time.monotonic(), 0
        while block := self._block():
            got += len(block)
            if time.monotonic() - since > self._stall_s:
                if got < _LEAST_BYTES:
                    raise InterruptedTransfer(f"less than 1 KiB came in {self._stall_s:g} s")
                since, got = time.monotonic(), 0
            yield block

    def _block(self) -> bytes:
        try:
            block: bytes = self._body.read1(_BLOCK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _interrupted(error) from error
        return block


@contextmanager
def get(url: str, *, headers: Mapping[str, str] | None = None, stall_s: float) -> Iterator[Reply]:
    """Ask for ``url``, following redirects but none from https to http.

    Raises :class:`InterruptedTransfer` for what may pass, :class:`DownloadError` for what will not,
    :class:`InputError` for what is no address of a file on the web.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError("address", "one that begins with http:// or https://", url)
    asked = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    try:
        request = urllib.request.Request(url, headers=asked)
        opener = urllib.request.build_opener(_SafeRedirects)
        response = opener.open(request, timeout=stall_s)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == OUT_OF_RANGE:
                yield Reply(error.code, error.headers, error, stall_s)
                return
            raise _refused(url, error) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise InputError("address", "a web address", f"{url} ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
            raise DownloadError(f"{url}: its certificate is not valid") from error
        raise _interrupted(error) from error
    with response:
        yield Reply(response.status, response.headers, response, stall_s)


def get_text(url: str, patience: Patience) -> str:
    """Return the text at ``url``, at most 16 MiB, trying again where that may help."""
    tries = Perseverance(url, patience)
    while True:
        try:
            with get(url, stall_s=patience.stall_s) as reply:
                return _text(url, reply)
        except InterruptedTransfer as why:
            tries.again(why)


def _text(url: str, reply: Reply) -> str:
    data = bytearray()
    for block in reply.blocks():
        data += block
        if len(data) > _TEXT_BYTES:
            raise DownloadError(f"{url}: more than 16 MiB of text")
    if reply.length is not None and len(data) < reply.length:
        raise InterruptedTransfer(f"{len(data):,} of {reply.length:,} bytes came")
    return data.decode("utf-8", errors="replace")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to where nobody vouches for the bytes."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            raise DownloadError(f"{req.full_url}: redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    """Return what a status other than success means."""
    if error.code not in _PASSING:
        return DownloadError(f"{url}: HTTP {error.code} {error.reason}")
    asked = error.headers.get("Retry-After", "")
    wait_s = float(asked) if asked.isdecimal() else None
    return InterruptedTransfer(f"HTTP {error.code} {error.reason}", wait_s)


def _interrupted(error: Exception) -> InterruptedTransfer:
    reason = getattr(error, "reason", None) or error
    return InterruptedTransfer(f"connection failed: {reason}")
