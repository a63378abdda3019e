"""A small phantom data set and what the stages make of it, shared by the tests of one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from naturalize.artefact import Artefact
from naturalize.compose.make_composites import make_composites
from naturalize.compose.recipe import load_recipe
from naturalize.curate.clean import curate
from naturalize.cutouts.make_bank import make_bank
from naturalize.datasets.phantom import write_phantom
from naturalize.split.make_split import make_split

SHARED_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phantom")


@pytest.fixture(scope="session")
def dataset(home: Path) -> Artefact:
    return write_phantom(home / "dataset", count=44, seed=3)


@pytest.fixture(scope="session")
def curated(dataset: Artefact, home: Path) -> Artefact:
    return curate(dataset, home / "curated")


@pytest.fixture(scope="session")
def split(curated: Artefact, home: Path) -> Artefact:
    return make_split(curated, home / "split", seed=1)


@pytest.fixture(scope="session")
def bank(split: Artefact, home: Path) -> Artefact:
    return make_bank(split, home / "bank")


@pytest.fixture(scope="session")
def composites(bank: Artefact, home: Path) -> Artefact:
    return make_composites(
        bank, home / "composites", recipe=load_recipe("naturalize"), count=22, seed=5
    )


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("real images are not at hand (../shared/data)")
    return SHARED_DATA
