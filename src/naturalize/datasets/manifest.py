"""The samples of a data set, and the table they are stored in."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from naturalize import images
from naturalize.artefact import Artefact
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError

SAMPLES = "samples.csv"
SET_ASIDE = "set_aside.csv"


@dataclass(frozen=True)
class Manifest:
    """The labelled samples of a data set and where their files lie."""

    id: str
    root: Path
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]

    @classmethod
    def load(cls, artefact: Artefact) -> Manifest:
        """Read the manifest of a ``dataset`` or ``curated`` artefact."""
        rows = read_table(artefact.path / SAMPLES)
        samples = samples_from_rows(rows, artefact.path / SAMPLES)
        classes = tuple(artefact.summary["classes"])
        return cls(artefact.id, data_root(artefact), samples, classes)

    def counts(self) -> dict[str, int]:
        """Return the number of samples of each class, in class order."""
        found = Counter(sample.label for sample in self.samples)
        return {label: found[label] for label in self.classes}


def data_root(artefact: Artefact) -> Path:
    """Return the folder below which the sample ids of ``artefact`` are paths."""
    return Path(os.path.normpath(artefact.path / artefact.summary["root"]))


def root_entry(root: Path, target: Path) -> str:
    """Return how the manifest of the artefact at ``target`` names the data root.

    Relative where data and artefact lie below one folder, so that both can be moved together.
    """
    root, target = Path(os.path.abspath(root)), Path(os.path.abspath(target))
    nearby = root.is_relative_to(target.parent)
    return os.path.relpath(root, target) if nearby else str(root)


def read_sample(root: Path, sample: Sample) -> images.Rgb:
    """Decode the image of ``sample``; refuse a file that has changed since it was imported."""
    return images.decode(read_bytes(root, sample), name=str(root / sample.id))


def read_bytes(root: Path, sample: Sample) -> bytes:
    """Return the file of ``sample``; refuse one that has changed since it was imported."""
    path = root / sample.id
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error
    if hashlib.sha256(data).hexdigest() != sample.sha256:
        raise ImageError(str(path), "the file that was imported", "one altered since")
    return data


def samples_table(samples: Iterable[Sample], extra: Mapping[str, str] | None = None) -> str:
    """Return CSV text, one row a sample; ``extra`` adds a last column ``side``, by sample id."""
    columns = list(Sample.model_fields)
    if extra is None:
        return write_table(columns, (list(s.model_dump().values()) for s in samples))
    rows = ([*s.model_dump().values(), extra[s.id]] for s in samples)
    return write_table([*columns, "side"], rows)


def samples_from_rows(rows: Sequence[Mapping[str, str]], path: Path) -> tuple[Sample, ...]:
    """Turn CSV rows back into samples; ``path`` is named in errors."""
    fields = Sample.model_fields
    try:
        return tuple(Sample(**{k: v for k, v in row.items() if k in fields}) for row in rows)  # type: ignore[arg-type]
    except (ValidationError, TypeError) as error:
        raise InputError(str(path), "a table of samples", "a damaged one") from error


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return CSV text with a header line and Unix line ends.

    >>> write_table(["path"], [["two\rlines"]])
    'path\n"two\rlines"\n'
    """
    return "".join(_line(row) for row in (columns, *rows))


def _line(row: Sequence[object]) -> str:
    r"""Return one line. Below Python 3.13 a \r is quoted only if it is in the line terminator."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(row)
    return buffer.getvalue().removesuffix("\r\n") + "\n"


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header line."""
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
            return list(csv.DictReader(stream))
    except (OSError, csv.Error) as error:
        raise InputError(str(path), "a readable CSV file", error) from error
