"""A composite with all its objects known, and what a form of export does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Draft
from naturalize.compose.objects import PlacedObject


@dataclass(frozen=True)
class Category:
    """What an object may be: a class of the bank, ``RBC``, ``PLT`` or ``OBJ``; and its ``kind``."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One composite: its ``file`` below the folder, its number and what is seen on it.

    ``label_map`` is uint16 (H, W): 0 bare slide, else the number of the object on top.
    """

    file: str
    index: int
    objects: tuple[PlacedObject, ...]
    label_map: NDArray[np.uint16]


class Form(Protocol):
    """A form other programs read."""

    disjoint: bool
    """Whether a pixel may belong to one object only."""

    def write(self, draft: Draft, image: AnnotatedImage, categories: Sequence[Category]) -> Any:
        """Write what stands beside one image; return, ready for JSON, what :meth:`finish` needs."""
        ...

    def finish(self, draft: Draft, entries: Sequence[Any], categories: Sequence[Category]) -> None:
        """Write what describes the whole; ``entries`` are those of :meth:`write`, in order."""
        ...
