"""Images as the reader sees them, and the measures that its limits are set by."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Draft
from naturalize.classify.find_cells import find_cell
from naturalize.classify.network import Views
from naturalize.classify.reader_info import Scale
from naturalize.classify.view import centred_square, shown, subject_square
from naturalize.curate.source import background
from naturalize.datasets.manifest import read_sample
from naturalize.datasets.sample import Sample
from naturalize.progress import Track
from naturalize.segment import Smear
from naturalize.workers import run_all

CHUNK = 32
Measure = Callable[[Sample], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Looker:
    """Looks at the images below ``root`` by ``workers``; what it saw is remembered in ``draft``."""

    root: Path
    draft: Draft
    workers: int
    track: Track

    def sizes(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """Return (N, 6): red-cell diameter and offset of the cell from the middle, both in px, NaN
        where there is none; colour of the bare slide; shorter side.
        """
        return self._each("sizes", partial(_sizes, self.root), samples)

    def views(self, name: str, samples: Sequence[Sample], scale: Scale, input_px: int) -> Views:
        """Return what the reader shows its network of each sample, uint8 (N, S, S, 3)."""
        return self._each(name, partial(_view, self.root, scale, input_px), samples)

    def centred_views(
        self, name: str, samples: Sequence[Sample], scale: Scale, input_px: int
    ) -> Views:
        """Return the middle of each sample, as ``--centred`` shows it, uint8 (N, S, S, 3)."""
        return self._each(name, partial(_centred_view, self.root, scale, input_px), samples)

    def _each(self, name: str, measure: Measure, samples: Sequence[Sample]) -> NDArray[Any]:
        starts = range(0, len(samples), CHUNK)
        chunks = [(start, tuple(samples[start : start + CHUNK])) for start in starts]
        task = partial(_kept, self.draft.path, name, measure)
        done = run_all(task, chunks, workers=self.workers)
        files = self.track(done, len(chunks), f"{name} ({CHUNK} a step)")
        return np.concatenate([np.load(file) for file in files])


def _kept(draft: Path, name: str, measure: Measure, chunk: tuple[int, tuple[Sample, ...]]) -> Path:
    start, samples = chunk

    def made() -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, np.stack([measure(sample) for sample in samples]), allow_pickle=False)
        return buffer.getvalue()

    return Draft(draft).keep(f"{name}-{start}.npy", made)


def _sizes(root: Path, sample: Sample) -> NDArray[np.float64]:
    rgb = read_sample(root, sample)
    found = find_cell(rgb, Smear())
    off = np.nan
    if found.subject is not None:
        box = found.masks[found.subject].box
        gaps = box.top + (box.height - rgb.shape[0]) / 2, box.left + (box.width - rgb.shape[1]) / 2
        off = float(np.hypot(*gaps))
    return np.array([found.diameter_px or np.nan, off, *background(rgb), min(rgb.shape[:2])])


def _view(root: Path, scale: Scale, input_px: int, sample: Sample) -> NDArray[np.uint8]:
    rgb = read_sample(root, sample)
    found = find_cell(rgb, Smear())
    square = centred_square(rgb.shape, scale)
    if found.subject is not None:
        box = found.masks[found.subject].box
        square = subject_square(box, found.diameter_px, rgb.shape, scale)
    return shown(rgb, square, input_px, scale)


def _centred_view(root: Path, scale: Scale, input_px: int, sample: Sample) -> NDArray[np.uint8]:
    rgb = read_sample(root, sample)
    return shown(rgb, centred_square(rgb.shape, scale), input_px, scale)
