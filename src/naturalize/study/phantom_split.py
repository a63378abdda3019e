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
from naturalize.study.spec import Spec


def phantom_split(spec: Spec, folder: Path, *, workers: int, track: Track = quiet) -> Artefact:
    """Draw phantoms below ``folder``, curate and split them; :class:`InputError` without a number.

    Phantoms show that a study runs; what it finds on them says nothing about real cells.
    """
    if spec.phantoms is None:
        raise InputError(
            "--split", f"a split folder: the study {spec.name} is of real data", "none"
        )
    count = spec.phantoms
    dataset = made(
        lambda: write_phantom(folder / "dataset", count=count, if_exists=ON, track=track)
    )
    curated = made(
        lambda: curate(dataset, folder / "curated", workers=workers, if_exists=ON, track=track)
    )
    return made(lambda: make_split(curated, folder / "split", if_exists=ON))
