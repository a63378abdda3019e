"""Cut the train images of a split and fill a bank; no other side is ever opened."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.cutouts.bank import CONTACT, MASKS, CutoutBank, shard_path
from naturalize.cutouts.bank_tables import Record, record, write_tables
from naturalize.cutouts.contact_page import contact_page
from naturalize.cutouts.cut_image import cut_image
from naturalize.cutouts.mask_folder import MaskFolder
from naturalize.datasets.manifest import read_bytes, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.images import Rgb, decode
from naturalize.optics import Background
from naturalize.progress import Track, quiet
from naturalize.segment import SEGMENTERS, Mask, Segmenter, Smear
from naturalize.split.leak_check import check_donors
from naturalize.split.paper_split import AnySplit, open_split
from naturalize.workers import run_all

FORM = 3
"""Of the bank's files: 2 since donors' own files are kept, 3 since rims reach into veils."""
SHARD_IMAGES = 25
SHARD_PIXELS = 20_000_000
"""A shard ends with the image that makes it this large: memory does not grow with the images."""


@dataclass(frozen=True)
class _Shard:
    """One piece of work: images to cut, and where their bytes go."""

    number: int
    root: Path
    samples: tuple[Sample, ...]
    masks_by: Segmenter | MaskFolder
    draft: Path


def make_bank(
    split: Artefact,
    out: Path,
    *,
    segmenter: Segmenter | None = None,
    masks: Path | None = None,
    objects: Background | None = None,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``bank`` artefact of the train images of ``split``.

    Objects are found by ``segmenter``, by default :class:`~naturalize.segment.Smear`, or are those
    of the label images in the folder ``masks``. These show blood cells, or with ``objects``
    whatever the classes name, on a light or dark background. The number of ``workers`` changes the
    time, not the bank. Raises :class:`InputError` for label images that are missing or do not fit,
    or when nothing usable was found, :class:`LeakError` if an image that is not on the train side
    would be cut.
    """
    real = open_split(split)
    masks_by = _source(segmenter, masks, objects, real)

    def write(draft: Draft) -> None:
        if isinstance(masks_by, MaskFolder):
            rows = ([name, *file] for name, file in masks_by.files.items())
            draft.write(MASKS, write_table(["sample_id", "file", "sha256"], rows))
        records = cut_samples(real, real.train, draft, by=masks_by, workers=workers, track=track)
        write_tables(draft, records, real.classes, background=_background(masks_by))
        bank = CutoutBank.read(draft.path, bank_id="", split_id=real.id, classes=real.classes)
        _refuse_empty(bank)
        draft.write(CONTACT, contact_page(bank, real))

    request = Request("bank", _said(masks_by), {"split": split})
    return build(out, request, write, if_exists=if_exists)


def cut_samples(
    split: AnySplit,
    samples: Sequence[Sample],
    draft: Draft,
    *,
    by: Segmenter | MaskFolder,
    workers: int,
    track: Track = quiet,
) -> list[Record]:
    """Cut ``samples`` into shard files and return one record an image, in order.

    Raises :class:`LeakError` unless every sample is a train image of ``split``.
    """
    check_donors(split, ((s.id, s.sha256) for s in samples), what="cut")
    shards = [
        _Shard(
            number,
            split.root,
            tuple(members),
            by.only(members) if isinstance(by, MaskFolder) else by,
            draft.path,
        )
        for number, members in enumerate(_dealt(samples))
    ]
    done = run_all(_cut_shard, shards, workers=workers)
    texts = track(done, len(shards), f"cut (up to {SHARD_IMAGES} images a step)")
    return [found for text in texts for found in json.loads(text)]


def _refuse_empty(bank: CutoutBank) -> None:
    """Refuse a bank without a subject or without a plate, and tell what was turned down."""
    if bank.plates and any(row.label for row in bank.rows):
        return
    reasons = Counter(f"{one.kind}: {one.refusal.reason}" for one in bank.turned_down())
    told = sorted(
        reasons, key=lambda why: (not why.startswith(("subject", "plate")), -reasons[why])
    )
    seen = ", ".join(f"{why} ({reasons[why]:,})" for why in told[:5]) or "nothing found"
    wanted = f"some with objects on a plain {bank.statistics.background} slide"
    got = f"none that could be cut among {len(bank.donors):,} ({seen})"
    raise InputError("train images", wanted, got)


def _source(
    segmenter: Segmenter | None, masks: Path | None, objects: Background | None, real: AnySplit
) -> Segmenter | MaskFolder:
    """Return where masks come from."""
    if segmenter is not None and masks is not None:
        raise InputError("--with, --masks", "one of the two", "both")
    if objects is not None and masks is None:
        raise InputError("--objects", "--masks beside it", "no masks")
    if masks is None:
        return segmenter or Smear()
    return MaskFolder.find(masks, real.train, objects=objects)


def _said(masks_by: Segmenter | MaskFolder) -> dict[str, Any]:
    """Return the parameters of a request: where masks come from, and all that decides them.

    The number of the bank's form is among them, so that no earlier cut is gone on with.
    """
    if isinstance(masks_by, MaskFolder):
        digests = {"files": len(masks_by.files), "sha256": masks_by.digest()}
        objects = {"objects": masks_by.objects} if masks_by.objects else {}
        return {"form": FORM, "segmenter": "label images", **digests, **objects}
    names = [name for name, kind in SEGMENTERS.items() if kind is type(masks_by)]
    name = names[0] if names else type(masks_by).__name__
    return {"form": FORM, "segmenter": name, **masks_by.parameters()}


def _background(masks_by: Segmenter | MaskFolder) -> Background:
    """Return what objects lie on; a blood smear is light."""
    objects = masks_by.objects if isinstance(masks_by, MaskFolder) else None
    return objects or "light"


def _dealt(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Deal samples into shards, in order, by number and by size."""
    shards: list[list[Sample]] = [[]]
    pixels = 0
    for sample in samples:
        if len(shards[-1]) == SHARD_IMAGES or pixels >= SHARD_PIXELS:
            shards.append([])
            pixels = 0
        shards[-1].append(sample)
        pixels += sample.height_px * sample.width_px
    return [shard for shard in shards if shard]


def _cut_shard(shard: _Shard) -> str:
    """Cut the images of one shard, unless an interrupted run did; return their records as JSON."""
    return Draft(shard.draft).remember(f"shard-{shard.number}.json", partial(_fill_shard, shard))


def _fill_shard(shard: _Shard) -> str:
    files = [read_bytes(shard.root, sample) for sample in shard.samples]
    rgbs = [decode(f, name=s.id) for s, f in zip(shard.samples, files, strict=True)]
    chunks: list[bytes] = []
    background = _background(shard.masks_by)
    records, offset = [], 0
    found_in = zip(shard.samples, files, rgbs, _masks(shard, rgbs), strict=True)
    for sample, file, rgb, masks in found_in:
        pieces = cut_image(sample.id, sample.label, rgb, masks, background=background)
        found, data = record(sample, file, pieces, shard.number, offset)
        chunks += data
        offset += sum(len(chunk) for chunk in data)
        records.append(found)
    name = shard_path(Path(), shard.number).as_posix()
    Draft(shard.draft).write(name, b"".join([_npy_header(offset), *chunks]))
    return json.dumps(records)


def _masks(shard: _Shard, rgbs: list[Rgb]) -> list[list[Mask]]:
    """Return the masks of each image of a shard."""
    if isinstance(shard.masks_by, MaskFolder):
        pairs = zip(shard.samples, rgbs, strict=True)
        return [shard.masks_by.masks(sample, rgb) for sample, rgb in pairs]
    return shard.masks_by.segment_all(rgbs)


def _npy_header(n_bytes: int) -> bytes:
    """Return what stands before ``n_bytes`` of a flat uint8 array in a .npy file."""
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (n_bytes,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()
