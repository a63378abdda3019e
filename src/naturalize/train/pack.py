"""The images of a split and its composites at working size, in one file, to train elsewhere.

A machine with a GPU needs the tables of the split and the composites, and this one file; ids stay
what they are, so a run made there is evaluated here as if made here. All images, real and
synthetic, go through the same crop, size and final encode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.composite_set import CompositeImage, CompositeSet
from naturalize.datasets.manifest import read_sample, read_table, write_table
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError
from naturalize.images import Rgb, decode, encode_jpeg
from naturalize.progress import Track, quiet
from naturalize.split.leak_check import check_donors
from naturalize.split.split import SIDES, RealSplit
from naturalize.train.pixels import Reader, fit_square

INDEX = "index.csv"
PIXELS = "pixels.bin"
COLUMNS = ["name", "sha256", "offset", "bytes"]


@dataclass(frozen=True)
class Entry:
    """Where one image lies in the pack; ``sha256`` is that of the file it was made from."""

    sha256: str
    offset: int
    length: int


@dataclass(frozen=True, eq=False)
class Pack:
    """An open pack: images cropped to ``crop_px`` (None: the largest square), ``px`` wide."""

    id: str
    crop_px: int | None
    px: int
    data: bytes
    entries: dict[str, Entry]

    @classmethod
    def load(
        cls, artefact: Artefact, split: Artefact, composites: Artefact | None, crop_px: int | None
    ) -> Pack:
        """Open a ``pack`` artefact; refuse one of another split, composites or crop."""
        inputs, parameters = artefact.manifest["inputs"], artefact.manifest["parameters"]
        for role, wanted in (("split", split), ("composites", composites)):
            packed = inputs.get(role, {}).get("id")
            if wanted is not None and packed != wanted.id:
                raise InputError(f"pack {artefact.path}", f"{role} {wanted.id}", packed or "none")
        if parameters["crop_px"] != crop_px:
            got = f"a crop of {crop_px} px"
            raise InputError("crop", f"the pack's, {parameters['crop_px']} px", got)
        entries = {
            row["name"]: Entry(row["sha256"], int(row["offset"]), int(row["bytes"]))
            for row in read_table(artefact.path / INDEX)
        }
        data = (artefact.path / PIXELS).read_bytes()
        return cls(artefact.id, crop_px, parameters["px"], data, entries)

    def sample_readers(self, samples: Sequence[Sample]) -> list[Reader]:
        """Return one reader for each real image."""
        return [partial(self.read, sample.id, sample.sha256) for sample in samples]

    def composite_readers(self, composites: CompositeSet) -> list[Reader]:
        """Return one reader for each composite."""
        return [partial(self.read, _name(image), None) for image in composites.images]

    def read(self, name: str, sha256: str | None) -> Rgb:
        """Decode one image; :class:`ImageError` unless it is in the pack as it was imported."""
        entry = self.entries.get(name)
        if entry is None or (sha256 is not None and entry.sha256 != sha256):
            raise ImageError(name, "an image of the pack", "another" if entry else "none")
        return decode(self.data[entry.offset : entry.offset + entry.length], name=name)


def make_pack(
    split: Artefact,
    out: Path,
    *,
    composites: Artefact | None = None,
    crop_px: int | None = 256,
    px: int = 160,
    quality: int = 90,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``pack`` artefact of all sides of ``split`` and all ``composites``.

    Images are cropped as in training (``crop_px``), resized to ``px`` and stored as JPEG 4:4:4 of
    ``quality``.
    """
    if not 16 <= px <= 4096:
        raise InputError("px", "16 to 4096", px)
    if crop_px is not None and crop_px < 16:
        raise InputError("crop", "at least 16, or 0 for the whole image", crop_px)
    if not 1 <= quality <= 100:
        raise InputError("quality", "1 to 100", quality)
    real = RealSplit.load(split)
    synthetic = CompositeSet.load(composites) if composites is not None else None
    if synthetic is not None:
        check_donors(real, synthetic.donors, what="pack")

    def write(draft: Draft) -> None:
        sources = [*_real(real), *_synthetic(synthetic)]
        rows, offset = [], 0
        with (draft.path / PIXELS).open("wb") as stream:
            for name, sha256, reader in track(sources, len(sources), "pack"):
                data = encode_jpeg(
                    fit_square(reader(), input_px=px, crop_px=crop_px), quality=quality
                )
                stream.write(data)
                rows.append([name, sha256, offset, len(data)])
                offset += len(data)
        draft.write(INDEX, write_table(COLUMNS, rows))
        draft.summary.update(images=len(rows), megabytes=round(offset / 2**20, 1))

    inputs = {"split": split} | ({"composites": composites} if composites is not None else {})
    request = Request("pack", {"crop_px": crop_px, "px": px, "quality": quality}, inputs)
    return build(out, request, write, if_exists=if_exists)


def _real(split: RealSplit) -> Iterator[tuple[str, str, Reader]]:
    for side in SIDES:
        for sample in split.side(side):
            yield sample.id, sample.sha256, partial(read_sample, split.root, sample)


def _synthetic(composites: CompositeSet | None) -> Iterator[tuple[str, str, Reader]]:
    for image in composites.images if composites is not None else ():
        assert composites is not None
        path = composites.root / image.file
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        yield _name(image), digest, partial(composites.read, image)


def _name(image: CompositeImage) -> str:
    return f"composite:{image.file}"
