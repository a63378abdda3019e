"""The reader: pictures in, cells with classes, honest odds and reasons to look out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from naturalize.artefact import open_artefact
from naturalize.classify.conformal import prediction_sets
from naturalize.classify.familiarity import FAMILIARITY, Familiarity
from naturalize.classify.find_cells import find_cell
from naturalize.classify.network import BATCH, NETWORK, Network
from naturalize.classify.odds import margins, odds
from naturalize.classify.reader_info import INFO, ReaderInfo, weights_folder
from naturalize.classify.reading import CellReading, unread
from naturalize.classify.review import NO_CELL, reasons_for
from naturalize.classify.view import centred_square, shown, subject_square, whole_view
from naturalize.curate.focus import sharpness
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Smear

LEAST_PX = 16
"""Pictures with a shorter side show no cell."""


@dataclass(frozen=True, eq=False)
class View:
    """One cell to be read: what the network sees of it, and what was seen around it."""

    pixels: Rgb
    box: Box | None
    others: int = 0
    cut: bool = False


@dataclass(frozen=True, eq=False)
class Reader:
    """A network with all that makes its answers honest. Holds no results.

    >>> import naturalize.classify
    >>> reader = naturalize.classify.load()
    >>> reader.predict(np.full((100, 100, 3), 230, np.uint8)).reasons
    ('no blood cell found',)
    """

    info: ReaderInfo
    network: Network
    familiarity: Familiarity
    id: str
    segmenter: Smear

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 1) -> Reader:
        """Open the shipped reader, or that of a ``reader`` artefact."""
        home = weights_folder() if folder is None else open_artefact(folder, "reader").path
        told = (home / INFO).read_bytes()
        return cls(
            ReaderInfo.read(told, name=str(home / INFO)),
            Network(home / NETWORK, threads=threads),
            Familiarity.load(home / FAMILIARITY),
            hashlib.sha256(told).hexdigest()[:16],
            Smear(),
        )

    def predict(self, rgb: Rgb, *, centred: bool = False) -> CellReading:
        """Read the one cell that a picture, uint8 (height, width, 3), was taken of.

        ``centred`` says that it lies in the middle as in the train images: nothing is segmented.
        """
        return self.predict_all([rgb], centred=centred)[0]

    def predict_all(self, pictures: Sequence[Rgb], *, centred: bool = False) -> list[CellReading]:
        """Read one cell of each picture, in order; the same as one by one."""
        views = [self._view(rgb, centred=centred) for rgb in pictures]
        read = iter(self.read([view for view in views if view is not None]))
        return [
            unread(NO_CELL, whole_view(rgb, self.info.input_px)) if view is None else next(read)
            for rgb, view in zip(pictures, views, strict=True)
        ]

    def stream(self, pictures: Iterable[Rgb], *, centred: bool = False) -> Iterator[CellReading]:
        """Read one cell of each picture as they come, a few at a time."""
        coming = iter(pictures)
        while some := list(islice(coming, BATCH)):
            yield from self.predict_all(some, centred=centred)

    def read(self, views: Sequence[View]) -> list[CellReading]:
        """Say what each view shows."""
        if not views:
            return []
        info = self.info
        answer = self.network.answer(np.stack([view.pixels for view in views]))
        shares = odds(answer.logits, info.temperature)
        inside = prediction_sets(shares, info.thresholds)
        far, above = self.familiarity.distances(answer.features), margins(shares)
        return [
            self._reading(views[n], shares[n], inside[n], float(far[n]), float(above[n]))
            for n in range(len(views))
        ]

    def _view(self, rgb: Rgb, *, centred: bool) -> View | None:
        info = self.info
        if min(rgb.shape[:2]) < LEAST_PX:
            return None
        if centred:
            square = centred_square(rgb.shape, info.scale)
            return View(shown(rgb, square, info.input_px, info.scale), None)
        found = find_cell(rgb, self.segmenter)
        if found.subject is None:
            return None
        box = found.masks[found.subject].box
        square = subject_square(box, found.diameter_px, rgb.shape, info.scale)
        pixels = shown(rgb, square, info.input_px, info.scale)
        return View(pixels, box, found.others(square))

    def _reading(
        self,
        view: View,
        shares: np.ndarray[tuple[int], np.dtype[np.float64]],
        inside: np.ndarray[tuple[int], np.dtype[np.bool_]],
        unfamiliarity: float,
        margin: float,
    ) -> CellReading:
        order = np.argsort(-shares, kind="stable")
        names = self.info.classes
        classes = tuple(names[place] for place in order if inside[place])
        reasons = reasons_for(
            self.info.limits,
            margin=margin,
            unfamiliarity=unfamiliarity,
            sharpness=sharpness(view.pixels),
            set_size=len(classes),
            others=view.others,
            cut=view.cut,
        )
        return CellReading(
            names[order[0]],
            float(shares[order[0]]),
            tuple(shares.tolist()),
            classes,
            reasons,
            view.box,
            view.pixels,
        )
