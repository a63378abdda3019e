"""Masks a user already has: one label image a sample, from Cellpose, QuPath and the like."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from naturalize import images
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError, InputError
from naturalize.images import Rgb
from naturalize.optics import Background
from naturalize.segment import Mask
from naturalize.segment.label_image import plain_masks, typed_masks

SUFFIXES = (".png", ".tif", ".tiff", ".npy")
ENDINGS = ("_cp_masks", "_masks", "")
"""What may follow a sample's name: Cellpose's ending, a plainer one, nothing."""


@dataclass(frozen=True)
class MaskFolder:
    """Label images by sample: ``files`` gives each sample id its path in ``folder`` and digest.

    ``objects`` says that they show no blood but objects of any kind, and on what background.
    """

    folder: Path
    files: Mapping[str, tuple[str, str]]
    objects: Background | None = None

    @classmethod
    def find(
        cls, folder: Path, samples: Sequence[Sample], *, objects: Background | None = None
    ) -> MaskFolder:
        """Find the label image of every sample: at its path in ``folder``, or there by name alone.

        The suffix is .png, .tif, .tiff or .npy; ``_cp_masks`` or ``_masks`` may follow the name.
        Raises :class:`InputError` where samples have none or several, share one, or have one of
        another size, with how many and the first.
        """
        if not folder.is_dir():
            raise InputError(f"--masks {folder}", "a folder of label images", "no folder")
        found = {sample.id: _candidates(folder, sample) for sample in samples}
        what = f"one label image for each of {len(samples):,} train images ({', '.join(SUFFIXES)})"
        _refuse(folder, what, "none", [name for name, paths in found.items() if not paths])
        _refuse(folder, what, "several", [name for name, paths in found.items() if len(paths) > 1])
        paths = {name: candidates[0] for name, candidates in found.items()}
        users = Counter(paths.values())
        shared = [name for name, path in paths.items() if users[path] > 1]
        _refuse(folder, what, "one shared with another image", shared)
        files, misfits, images_themselves = {}, [], []
        for sample in samples:
            path = paths[sample.id]
            data = _read(path)
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 == sample.sha256:
                images_themselves.append(sample.id)
            elif _size(data, path) != (sample.height_px, sample.width_px):
                misfits.append(sample.id)
            files[sample.id] = (path.relative_to(folder).as_posix(), sha256)
        _refuse(folder, what, "the image itself", images_themselves)
        _refuse(folder, "label images of their images' sizes", "another size", misfits)
        return cls(folder, files, objects)

    @classmethod
    def of_one(cls, file: Path, sample_id: str, *, objects: Background | None = None) -> MaskFolder:
        """Return one label image as that of one sample; :meth:`masks` tells whether it fits."""
        sha256 = hashlib.sha256(_read(file)).hexdigest()
        return cls(file.parent, {sample_id: (file.name, sha256)}, objects)

    def only(self, samples: Sequence[Sample]) -> MaskFolder:
        """Return the part that ``samples`` need."""
        return replace(self, files={s.id: self.files[s.id] for s in samples})

    def digest(self) -> str:
        """Return a digest of all label images and whose they are."""
        lines = (f"{name}\0{sha256}\n" for name, (_, sha256) in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()

    def masks(self, sample: Sample, rgb: Rgb) -> list[Mask]:
        """Return the masks of one sample: objects, or blood cells with kinds told by stain.

        Raises :class:`ImageError` for a file that is no label image, that does not fit, or that has
        changed since it was found.
        """
        name, sha256 = self.files[sample.id]
        path = self.folder / name
        data = _read(path)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ImageError(str(path), "the file that was found at the start", "one altered since")
        labels = _labels(data, path)
        if labels.shape != rgb.shape[:2]:
            raise ImageError(str(path), f"{rgb.shape[:2]} pixels", f"{labels.shape}")
        return plain_masks(labels, rgb) if self.objects else typed_masks(labels, rgb)


def _candidates(folder: Path, sample: Sample) -> list[Path]:
    """Return the files that may be the sample's label image: those of the first place with any."""
    for place in _places(folder, sample):
        found = [file for suffix in SUFFIXES if (file := Path(f"{place}{suffix}")).is_file()]
        if found:
            return found
    return []


def _places(folder: Path, sample: Sample) -> Iterator[Path]:
    """Yield paths without suffix, the likeliest first."""
    inside = PurePosixPath(sample.id).with_suffix("")
    for base in (folder / inside, folder / inside.name):
        for ending in ENDINGS:
            yield base.with_name(base.name + ending)


def _refuse(folder: Path, expected: str, got: str, names: list[str]) -> None:
    if names:
        raise InputError(
            f"--masks {folder}", expected, f"{got} for {len(names):,}, {names[0]} first"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error


def _size(data: bytes, path: Path) -> tuple[int, ...]:
    """Return (height, width) of a label image."""
    return _array(data, path).shape if path.suffix == ".npy" else images.size(data, name=str(path))


def _labels(data: bytes, path: Path) -> NDArray[np.int32]:
    """Return the labels in a file as int32 (height, width)."""
    if path.suffix != ".npy":
        return images.decode_labels(data, name=str(path))
    array = _array(data, path)
    top = np.iinfo(np.int32).max
    if array.ndim != 2 or array.dtype.kind not in "biu" or int(array.max(initial=0)) > top:
        got = f"{array.dtype} {array.shape}"
        raise ImageError(str(path), "whole numbers (height, width) that fit 32 bits", got)
    return array.astype(np.int32)


def _array(data: bytes, path: Path) -> NDArray[np.generic]:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise ImageError(str(path), "a numpy array without pickle", error) from error
