"""The shipped reader: a class for each blood cell, with honest odds; needs no torch.

>>> import naturalize.classify  # nothing heavy is imported until a reader is loaded
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from naturalize.classify.reader import Reader

__all__ = ["load"]


def load(folder: Path | None = None) -> Reader:
    """Return the shipped reader, or that of a ``reader`` artefact written by ``naturalize reader``.

    Raises :class:`~naturalize.errors.InputError` where ``folder`` holds none, or an altered one.
    """
    from naturalize.classify.reader import Reader

    return Reader.load(folder)
