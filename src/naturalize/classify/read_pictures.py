"""Read many pictures by several processes; a damaged one is named and the rest is still done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from naturalize.classify.network import BATCH
from naturalize.classify.picture_source import PictureSource
from naturalize.classify.reader import Reader
from naturalize.classify.reading import CellReading, unread
from naturalize.errors import ImageError
from naturalize.images import Rgb, encode_jpeg
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

UNREADABLE = "unreadable"
_QUALITY = 85
_WORTH_A_PROCESS = 64
"""Fewer pictures are read before a second process has started."""


def read_cells(
    sources: Sequence[PictureSource],
    *,
    reader: Path | None = None,
    centred: bool = False,
    workers: int = 1,
    track: Track = quiet,
) -> Iterator[tuple[str, CellReading]]:
    """Yield (name, reading) of the one cell each picture was taken of, in order.

    ``reader`` is a ``reader`` artefact, None the shipped one. A file that holds no picture gives a
    reading without a class whose reason begins with "unreadable".
    """
    chunks = [
        (reader, centred, tuple(sources[start : start + BATCH]))
        for start in range(0, len(sources), BATCH)
    ]
    several = workers if len(sources) >= _WORTH_A_PROCESS else 1
    done = run_all(_read_chunk, chunks, workers=several)
    for some in track(done, len(chunks), f"cells ({BATCH} a step)"):
        yield from some


@lru_cache(maxsize=1)
def opened_reader(folder: Path | None) -> Reader:
    """Return the reader at ``folder``, None the shipped one; opened once a process."""
    return Reader.load(folder)


def picture_or_reason(source: PictureSource) -> Rgb | str:
    """Decode a picture, or say in a few words why it cannot be."""
    try:
        return source.read()
    except ImageError as error:
        return f"{UNREADABLE}: {str(error).removeprefix(f'{source.name}: ')}"


def packed(cell: CellReading) -> CellReading:
    """Return a reading whose view is a JPEG: thirteen times smaller, so that many can be kept."""
    if cell.view is None or isinstance(cell.view, bytes):
        return cell
    return replace(cell, view=encode_jpeg(cell.view, quality=_QUALITY))


def _read_chunk(
    chunk: tuple[Path | None, bool, tuple[PictureSource, ...]],
) -> list[tuple[str, CellReading]]:
    folder, centred, sources = chunk
    shown = [picture_or_reason(source) for source in sources]
    pictures = [one for one in shown if not isinstance(one, str)]
    read = iter(opened_reader(folder).predict_all(pictures, centred=centred))
    found = [unread(one) if isinstance(one, str) else next(read) for one in shown]
    return [(source.name, packed(cell)) for source, cell in zip(sources, found, strict=True)]
