"""Download a public data set and prove that it is the one the index describes."""

from __future__ import annotations

from pathlib import Path

from naturalize.datasets.fetch import RemoteFile, fetch
from naturalize.datasets.http_get import DownloadError, Patience, get_text
from naturalize.datasets.mendeley import find_file
from naturalize.datasets.public_index import load_index
from naturalize.datasets.sources import public_source
from naturalize.datasets.verify import verify
from naturalize.errors import InputError
from naturalize.progress import Track, quiet


def download(
    name: str,
    folder: Path,
    *,
    url: str | None = None,
    patience: Patience | None = None,
    workers: int = 1,
    track: Track = quiet,
) -> Path:
    """Fetch the public data set ``name`` into ``folder`` and return the path of its zip.

    Size and sha256 are checked against the public listing, and every file in the zip against the
    shipped index. With ``url``, the address of a copy elsewhere, the index alone vouches for it.
    An interrupted download goes on when called again; a finished one is checked again.

    Raises :class:`DownloadError` where the server cannot be brought to deliver and where the zip is
    not what the index describes (the zip is kept then, for ``naturalize verify`` to say more).
    """
    source = public_source(name)
    patience = patience or Patience()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}", "a folder", "a file")
    if url is None:
        remote = find_file(get_text(source.listing_url, patience), source.file)
    else:
        remote = RemoteFile(source.file, url)
    path = fetch(remote, folder, patience=patience, track=track)
    found = verify(path, load_index(source.index), workers=workers, track=track)
    if not found.whole:
        raise DownloadError(
            f"{path}: expected the {found.expected:,} files of the index, got {found.same:,} of "
            f"them, {len(found.missing):,} missing, {len(found.extra):,} extra, "
            f"{len(found.altered):,} altered; see naturalize verify {path}"
        )
    return path
