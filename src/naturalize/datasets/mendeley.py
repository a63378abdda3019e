"""The public listing of a data set on Mendeley Data.

``LISTING`` answers with a JSON list, one entry a file: ``filename`` and, in ``content_details``,
``size`` in bytes, ``sha256_hash`` and ``download_url``. It is not a documented interface, so the
parser asks for no more than it needs and says what it missed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from naturalize.datasets.fetch import RemoteFile
from naturalize.datasets.http_get import DownloadError

LISTING = (
    "https://data.mendeley.com/public-api/datasets/{id}/files?folder_id=root&version={version}"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def find_file(listing: str, name: str) -> RemoteFile:
    """Return the file called ``name`` in the text of a listing.

    >>> listing = '''[{"filename": "a.zip", "content_details":
    ...     {"size": 3, "sha256_hash": null, "download_url": "https://there/a.zip"}}]'''
    >>> find_file(listing, "a.zip")
    RemoteFile(name='a.zip', url='https://there/a.zip', size=3, sha256=None)
    """
    expected = f"the listing of the data set: expected {name} with its download_url, got "
    try:
        content = json.loads(listing)
    except (ValueError, RecursionError) as error:
        raise DownloadError(expected + f"no JSON: {listing[:60]!r}") from error
    entries = list(_entries(content))
    found = [entry for entry in entries if entry.get("filename") == name]
    if not found:
        others = ", ".join(str(entry["filename"]) for entry in entries[:5])
        raise DownloadError(expected + (others or "no file at all"))
    details = found[0] | _mapping(found[0].get("content_details"))
    url = details.get("download_url")
    if not isinstance(url, str) or not url:
        raise DownloadError(expected + f"an entry with {', '.join(map(str, details))}")
    return RemoteFile(name, url, _size(details.get("size")), _sha256(details.get("sha256_hash")))


def _entries(content: object) -> Iterator[dict[str, Any]]:
    """Yield everything with a file name, however deep it lies."""
    if isinstance(content, dict):
        if "filename" in content:
            yield content
        else:
            for value in content.values():
                yield from _entries(value)
    elif isinstance(content, list):
        for value in content:
            yield from _entries(value)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size(value: object) -> int | None:
    whole = isinstance(value, int | str) and str(value).isdecimal()
    return int(str(value)) if whole else None


def _sha256(value: object) -> str | None:
    text = value.lower() if isinstance(value, str) else ""
    return text if _SHA256.fullmatch(text) else None
