"""How far a cell lies from all cells the network learned from.

One less the cosine between the network's last features of the cell and those of the fifth most
alike of the train images that are kept (deep nearest neighbours; Sun et al. 2022), along the
directions in which these are longest. What of a cell lies along none of them makes it less alike.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError

FAMILIARITY = "familiarity.npz"
NEIGHBOUR, DIRECTIONS = 5, 256
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Familiarity:
    """``axes`` (F, K) are orthogonal directions of length 1 among F features, ``known`` (N, K) what
    N train images, their features brought to length 1, show along them.

    >>> Familiarity(np.eye(2), np.array([[1.0, 0.0]])).distances(np.array([[3, 0], [0, 2]]))
    array([0., 1.])
    """

    axes: Floats
    known: Floats

    def distances(self, features: Floats) -> NDArray[np.float64]:
        """Return how unfamiliar each row of ``features`` (N, F) is, (N,), from 0 to 2."""
        alike = _unit(features) @ self.axes @ self.known.T
        place = max(0, len(self.known) - NEIGHBOUR)
        return 1 - np.partition(alike, place, axis=1)[:, place].astype(np.float64)

    def to_bytes(self) -> bytes:
        """Return one ``.npz`` file, float16; the same arrays give the same bytes."""
        buffer = io.BytesIO()
        axes, known = (np.asarray(array, np.float16) for array in (self.axes, self.known))
        np.savez(buffer, allow_pickle=False, axes=axes, known=known)
        return buffer.getvalue()

    @classmethod
    def load(cls, file: Path) -> Familiarity:
        """Read a file of :meth:`to_bytes`; :class:`InputError` if it is none."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                axes, known = (np.asarray(arrays[name], np.float32) for name in ("axes", "known"))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            expected = "what this version's `naturalize reader` writes; make the reader again"
            raise InputError(str(file), expected, error) from error
        return cls(axes, known)


def fit_familiarity(features: Floats, *, directions: int = DIRECTIONS) -> Familiarity:
    """Keep ``features`` (N, F) of train images to compare with, along K or fewer directions."""
    rows = _unit(features)
    _, _, turned = np.linalg.svd(rows, full_matrices=False)
    axes = turned[:directions].T
    return Familiarity(axes, rows @ axes)


def _unit(features: Floats) -> Floats:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
