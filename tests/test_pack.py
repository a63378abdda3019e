from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from naturalize.artefact import Artefact, open_artefact
from naturalize.curate.clean import curate
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import read_sample
from naturalize.errors import InputError
from naturalize.split.make_split import make_split
from naturalize.split.split import RealSplit
from naturalize.train.pack import Pack, make_pack
from naturalize.train.pixels import fit_square
from naturalize.train.run import train_run
from naturalize.train.training import Training
from tests_images import jpeg, write_tree


@pytest.fixture(scope="module")
def pack(split: Artefact, composites: Artefact, home: Path) -> Artefact:
    return make_pack(split, home / "pack", composites=composites, px=32, quality=95)


def test_packed_images_are_those_of_the_split(
    pack: Artefact, split: Artefact, composites: Artefact
) -> None:
    real = RealSplit.load(split)
    loaded = Pack.load(pack, split, composites, 256)
    samples = (*real.train, *real.val, *real.test)
    for sample, reader in zip(samples, loaded.sample_readers(samples), strict=True):
        direct = fit_square(read_sample(real.root, sample), input_px=32, crop_px=256)
        assert np.abs(reader().astype(int) - direct).mean() < 4
    assert pack.summary["images"] == len(samples) + 22


def test_training_needs_the_pack_and_no_image_file(
    pack: Artefact, split: Artefact, composites: Artefact, tmp_path: Path
) -> None:
    for artefact in (pack, split, composites):
        ignore = shutil.ignore_patterns("images")
        shutil.copytree(artefact.path, tmp_path / artefact.path.name, ignore=ignore)
    there = {name: open_artefact(tmp_path / name) for name in ("pack", "split", "composites")}
    run = train_run(
        there["split"],
        tmp_path / "run",
        Training(
            model="custom-cnn", input_px=32, arm="naturalize", budget_images=32, batch_size=16
        ),
        composites=there["composites"],
        pack=there["pack"],
    )
    assert run.manifest["inputs"]["split"]["id"] == split.id
    assert sum(run.summary["synthetic_seen"].values()) > 0


def test_a_pack_of_something_else_is_refused(
    pack: Artefact, split: Artefact, composites: Artefact, tmp_path: Path
) -> None:
    files = {f"{label}/{i}.jpg": jpeg(i + 50 * ord(label)) for label in "ab" for i in range(4)}
    dataset = import_dataset(write_tree(tmp_path / "in", files), tmp_path / "dataset")
    other = make_split(curate(dataset, tmp_path / "curated"), tmp_path / "other")
    with pytest.raises(InputError, match=f"split {other.id}"):
        Pack.load(pack, other, None, 256)
    with pytest.raises(InputError, match="the pack's, 256 px"):
        Pack.load(pack, split, composites, 200)
    bare = make_pack(other, tmp_path / "bare", px=16)
    with pytest.raises(InputError, match=f"composites {composites.id}, got none"):
        Pack.load(bare, other, composites, 256)
