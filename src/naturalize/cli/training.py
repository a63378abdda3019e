"""The training stage as the command line calls it: torch is loaded here, or its absence said."""

from __future__ import annotations

from typing import Any

from naturalize.artefact import Artefact
from naturalize.errors import MissingExtraError


def train_run(*args: Any, **kwargs: Any) -> Artefact:
    """Call :func:`naturalize.train.run.train_run`.

    Raises :class:`MissingExtraError` naming the package where the ``train`` extra is missing.
    """
    try:
        from naturalize.train.run import train_run as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("naturalize"):
            raise
        raise MissingExtraError("train", error.name) from error
    return run(*args, **kwargs)
