"""Composites for detectors and segmenters, in a form that other programs read.

Each form holds the images themselves and describes every object that is seen: its category (the
class of the image's subject, ``RBC``, ``PLT`` or ``OBJ`` beside it, ``WBC`` for a nucleated cell of
a class nobody told), its box, its pixels where the form has a place for them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from naturalize import images
from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.annotated import AnnotatedImage, Category, Form
from naturalize.compose.coco import Coco
from naturalize.compose.label_maps import LabelMaps
from naturalize.compose.objects import placed_objects
from naturalize.compose.open_bank import opened_bank
from naturalize.compose.recipe import Recipe
from naturalize.compose.record import Record, read_records
from naturalize.compose.yolo import Yolo
from naturalize.cutouts.bank import CutoutBank
from naturalize.errors import ImageError, InputError
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

FORMS = ("coco", "yolo", "label-map")
CHUNK = 100


@dataclass(frozen=True)
class _Chunk:
    """One piece of work: some images of a set of composites, to be written to ``draft``."""

    number: int
    records: tuple[Record, ...]
    composites: Path
    bank: Artefact
    categories: tuple[Category, ...]
    form: Form
    draft: Path


def export_composites(
    composites: Artefact,
    out: Path,
    *,
    form: str,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write an ``export`` artefact: ``composites`` in one of :data:`FORMS`.

    Masks are those of the parts that are seen. Where cutouts were pasted over each other they are
    disjoint; where cells let light through both hold the pixels they share, but for label maps,
    whose pixels have one value. Raises :class:`InputError` for a form there is not, and
    :class:`ImageError` for an image that is not the one its record tells of.
    """
    writer = _form(form, composites)
    bank = composites.input("bank")
    categories = categories_of(CutoutBank.load(bank), _recipe(composites))
    records = list(read_records(composites))

    def write(draft: Draft) -> None:
        chunks = [
            _Chunk(n, tuple(some), composites.path, bank, categories, writer, draft.path)
            for n, some in enumerate(_parts(records))
        ]
        done = run_all(_export_chunk, chunks, workers=workers)
        texts = track(done, len(chunks), f"export ({CHUNK} a step)")
        results = [result for text in texts for result in json.loads(text)]
        writer.finish(draft, [entry for entry, _ in results], categories)
        counts = Counter(name for _, names in results for name in names)
        draft.summary.update(
            images=len(results), counts={one.name: counts[one.name] for one in categories}
        )

    request = Request("export", {"what": form}, {"composites": composites})
    return build(out, request, write, if_exists=if_exists)


def categories_of(bank: CutoutBank, recipe: Recipe) -> tuple[Category, ...]:
    """Return the classes of a bank, each with the kind of its subjects, then the bystanders'.

    These are ``RBC`` and ``PLT``, or ``OBJ`` where the bank shows no blood, and ``WBC`` where real
    surroundings may hold another nucleated cell.
    """
    crowded = recipe.surroundings == "own" or recipe.places == "class"
    beside = (*bank.bystander_kinds, *(("WBC",) if crowded else ()))
    usual = "WBC" if "OBJ" not in beside else "OBJ"
    found = []
    for label in dict.fromkeys([*bank.classes, *beside]):
        kinds = Counter(row.kind for row in bank.subjects(label)).most_common(1)
        kind = kinds[0][0] if kinds else label if label in beside else usual
        found.append(Category(label, kind))
    return tuple(found)


def _recipe(composites: Artefact) -> Recipe:
    return Recipe.model_validate(composites.manifest["parameters"]["recipe"])


def _form(name: str, composites: Artefact) -> Form:
    disjoint = _recipe(composites).blend not in ("transmittance", "emission")
    if name == "coco":
        return Coco(disjoint=disjoint)
    if name == "yolo":
        return Yolo(disjoint=disjoint)
    if name == "label-map":
        return LabelMaps()
    raise InputError("--as", " or ".join(FORMS), name)


def _parts(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), CHUNK):
        yield records[start : start + CHUNK]


def _export_chunk(chunk: _Chunk) -> str:
    """Write the images of one chunk and return its entries as JSON, unless an earlier run did."""
    return Draft(chunk.draft).remember(f"chunk-{chunk.number}.json", partial(_write_images, chunk))


def _write_images(chunk: _Chunk) -> str:
    draft, bank = Draft(chunk.draft), opened_bank(chunk.bank)
    results: list[tuple[Any, list[str]]] = []
    for record in chunk.records:
        data = _same_bytes(chunk.composites / record.file, record)
        objects, labels = placed_objects(record.scene, bank, disjoint=chunk.form.disjoint)
        draft.write(record.file, data)
        image = AnnotatedImage(record.file, record.index, objects, labels)
        entry = chunk.form.write(draft, image, chunk.categories)
        results.append((entry, [one.category for one in objects]))
    return json.dumps(results)


def _same_bytes(path: Path, record: Record) -> bytes:
    """Return the bytes of an image file whose pixels are the recorded ones."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error
    pixels = images.decode(data, name=str(path))
    if hashlib.sha256(pixels.tobytes()).hexdigest() != record.pixels_sha256:
        raise ImageError(str(path), "the composite of its record", "other pixels")
    return data
