"""What cells of a study are judged on: untouched test images, the same edited, and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from naturalize.artefact import Artefact
from naturalize.audit.views import OTHER as OTHER_CLASS
from naturalize.audit.views import OWN as OWN_CLASS
from naturalize.audit.views import in_surroundings_of
from naturalize.datasets.manifest import Manifest
from naturalize.datasets.pbc import FOLDER_OF, FOLDERS
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.predictions import Predictions
from naturalize.study.prepare import Home
from naturalize.train.pixels import Reader, load_pixels, sample_readers
from naturalize.train.predict import predict
from naturalize.train.trained_model import load_model

REAL = "untouched test images"
STRANGE = "images of the second acquisition source"
OTHER = "images of another data set"
MOVED = "test images with the cell moved into a picture of its own class"
SWAPPED = "test images with the cell moved into a picture of another class"
_VIEWS = {MOVED: OWN_CLASS, SWAPPED: OTHER_CLASS}


@dataclass(frozen=True)
class Tested:
    """A set of images below ``root``, and the ``file`` of a cell that holds its answers to them.

    ``coarse`` sets are labelled with PBC's eight folders, to which answers are rolled up. Of sets
    shown in a ``view`` of the audit, those that can be shown so are asked about.
    """

    name: str
    file: str
    root: Path
    samples: tuple[Sample, ...]
    coarse: bool = False
    view: str = ""


def held_back(home: Home) -> Tested:
    """Return the images that every cell was held back from; with folds, all there are."""
    tested = home.images if home.spec.folds is not None else home.whole.test
    kept = tuple(sample for sample in tested if sample.id not in home.strange)
    return Tested(REAL, "test.npz", home.whole.root, kept)


def beside(home: Home) -> tuple[Tested, ...]:
    """Return what else the study asks about: edited test images, and images from elsewhere."""
    found = []
    if home.spec.swapped_surroundings:
        real = held_back(home)
        for name, view in _VIEWS.items():
            found.append(Tested(name, f"{view}.npz", real.root, real.samples, view=view))
    if home.strange:
        strange = tuple(s for s in home.images if s.id in home.strange)
        found.append(Tested(STRANGE, "second-source.npz", home.whole.root, strange))
    if home.other is not None:
        manifest = Manifest.load(home.other)
        samples = tuple(_coarse(sample) for sample in manifest.samples)
        known = {sample.sha256 for sample in home.images}
        shared = [sample.id for sample in samples if sample.sha256 in known]
        if shared:
            raise LeakError(f"--other: {shared[0]} is an image of the study's own data too")
        found.append(Tested(OTHER, "other.npz", manifest.root, samples, coarse=True))
    return tuple(found)


def answers(home: Home, run: Artefact, tested: Tested) -> Predictions:
    """Ask the network of a run about images it neither learned from nor was tested on."""
    model, info = load_model(run)
    if tested.view:
        ids, readers = _edited(home, tested.view)
    else:
        ids = tuple(sample.id for sample in tested.samples)
        readers = sample_readers(tested.root, tested.samples)
    pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
    found = predict(model, pixels, mean=info.mean, std=info.std)
    return Predictions(ids, found, info.classes, run.id, home.split.id)


def _edited(home: Home, view: str) -> tuple[tuple[str, ...], list[Reader]]:
    """Return the test images that can be shown in every view, and what shows them in ``view``."""
    apart, pairs = home.edited.apart, home.edited.pairs
    able = set.intersection(*({own for own, _ in pairs[name]} for name in _VIEWS.values()))
    if not able:
        allowed = "cells found in two test images of a class, and in another"
        raise InputError("swapped_surroundings", allowed, "none")
    shown = [(apart[own], apart[other]) for own, other in pairs[view] if own in able]
    ids = tuple(one.sample.id for one, _ in shown)
    return ids, [partial(in_surroundings_of, one, other) for one, other in shown]


def lacking(classes: Sequence[str], samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return the classes without a tested image."""
    present = {sample.label for sample in samples}
    return tuple(label for label in classes if label not in present)


def _coarse(sample: Sample) -> Sample:
    """Return ``sample`` with the name of its folder in PBC as its label."""
    label = FOLDER_OF.get(sample.label, sample.label)
    if label not in FOLDERS:
        raise InputError("--other", f"labels {', '.join(FOLDERS)}, or PBC's own", sample.label)
    return sample.model_copy(update={"label": label})
