"""Read many fields of view; a damaged one is named and the rest is still done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from naturalize.classify.differential import Differential, differential
from naturalize.classify.field import read_field
from naturalize.classify.field_coco import field_objects
from naturalize.classify.field_page import FieldResult, drawn
from naturalize.classify.picture_source import PictureSource
from naturalize.classify.read_pictures import opened_reader, packed, picture_or_reason
from naturalize.classify.reader_info import ReaderInfo
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.workers import run_all


@dataclass(frozen=True, eq=False)
class ReadField:
    """One field, and its objects in COCO's form; ``shape`` is (height, width)."""

    result: FieldResult
    shape: tuple[int, int]
    objects: list[dict[str, Any]]


@dataclass(frozen=True)
class NoField:
    """A file without a field, and why."""

    name: str
    reason: str


def read_fields(
    sources: Sequence[PictureSource],
    *,
    reader: Path | None = None,
    workers: int = 1,
    track: Track = quiet,
) -> Iterator[ReadField | NoField]:
    """Yield what each picture shows, in order; ``reader`` as in ``read_cells``."""
    tasks = [(reader, source) for source in sources]
    several = workers if len(sources) > workers else 1
    yield from track(run_all(_read_one, tasks, workers=several), len(tasks), "fields")


def pooled(fields: Sequence[ReadField], info: ReaderInfo) -> Differential:
    """Return the differential of all fields together."""
    counts = sum((Counter(field.result.counts) for field in fields), Counter[str]())
    return differential(counts, info.classes, info.confusion, rng=child(0, "pooled"))


def _read_one(task: tuple[Path | None, PictureSource]) -> ReadField | NoField:
    folder, source = task
    rgb = picture_or_reason(source)
    if isinstance(rgb, str):
        return NoField(source.name, rgb)
    reader = opened_reader(folder)
    field, info = read_field(reader, rgb), reader.info
    counts = field.counts()
    result = FieldResult(
        name=source.name,
        cells=[packed(cell) for cell in field.cells],
        red_cells=field.red_cells,
        platelets=field.platelets,
        counts=counts,
        differential=differential(counts, info.classes, info.confusion, rng=child(0, "field")),
        picture=drawn(rgb, field),
    )
    return ReadField(result, field.shape, field_objects(field))
