"""Phantoms for a study to stand on where no data is given."""

from __future__ import annotations

from pathlib import Path

from naturalize.artefact import Artefact
from naturalize.curate.clean import curate
from naturalize.datasets.phantom import write_phantom
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.split.make_split import make_split
from naturalize.study.prepare import ON, made


def phantom_split(
    study: str, count: int | None, folder: Path, *, workers: int, track: Track = quiet
) -> Artefact:
    """Draw ``count`` phantoms below ``folder``, curate and split them; refuse where it is None.

    Phantoms show that a study runs; what it finds on them says nothing about real cells.
    """
    if count is None:
        raise InputError("--split", f"a split folder: the study {study} is of real data", "none")
    dataset = made(
        lambda: write_phantom(folder / "dataset", count=count, if_exists=ON, track=track)
    )
    curated = made(
        lambda: curate(dataset, folder / "curated", workers=workers, if_exists=ON, track=track)
    )
    return made(lambda: make_split(curated, folder / "split", if_exists=ON))
