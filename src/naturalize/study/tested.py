"""What the cells of a study are judged on: untouched test images, and images from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from naturalize.artefact import Artefact
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.datasets.pbc import FOLDER_OF, FOLDERS
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError, LeakError
from naturalize.predictions import Predictions
from naturalize.study.prepare import Home
from naturalize.train.pixels import load_pixels
from naturalize.train.predict import predict
from naturalize.train.trained_model import load_model

REAL = "untouched test images"
STRANGE = "images of the second acquisition source"
OTHER = "images of another data set"


@dataclass(frozen=True)
class Tested:
    """A set of images below ``root``, and the ``file`` of a cell that holds its answers to them.

    ``coarse`` sets are labelled with PBC's eight folders, to which answers are rolled up.
    """

    name: str
    file: str
    root: Path
    samples: tuple[Sample, ...]
    coarse: bool = False


def held_back(home: Home) -> Tested:
    """Return the images that every cell was held back from; with folds, all there are."""
    tested = home.images if home.spec.folds is not None else home.whole.test
    kept = tuple(sample for sample in tested if sample.id not in home.strange)
    return Tested(REAL, "test.npz", home.whole.root, kept)


def from_elsewhere(home: Home) -> tuple[Tested, ...]:
    """Return the second acquisition source and the other data set, where the study has them."""
    found = []
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


def answers(run: Artefact, tested: Tested, split_id: str) -> Predictions:
    """Ask the network of a run about images it neither learned from nor was tested on."""
    model, info = load_model(run)
    readers = [partial(read_sample, tested.root, sample) for sample in tested.samples]
    pixels = load_pixels(readers, input_px=info.input_px, crop_px=info.crop_px)
    found = predict(model, pixels, mean=info.mean, std=info.std)
    ids = tuple(sample.id for sample in tested.samples)
    return Predictions(ids, found, info.classes, run.id, split_id)


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
