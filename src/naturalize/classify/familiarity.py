"""How far a cell lies from all cells the network learned from.

The distance to the nearest class mean over the network's last features, in the spread that cells of
one class have there (Mahalanobis distance with one covariance for all classes; Lee et al. 2018),
along the directions in which the features vary most.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError

FAMILIARITY = "familiarity.npz"
DIRECTIONS = 64
_LEAST_VARIANCE = 1e-3
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Familiarity:
    """``axes`` (F, K) turn features, less their ``mean`` (F,), into K numbers in which cells of one
    class spread by 1 in every direction; ``centres`` (C, K) are the class means.
    """

    mean: Floats
    axes: Floats
    centres: Floats

    def distances(self, features: Floats) -> NDArray[np.float64]:
        """Return how unfamiliar each row of ``features`` (N, F) is, (N,), 0 at a class's mean."""
        places = (features - self.mean) @ self.axes
        gaps = places[:, None] - self.centres[None]
        return np.asarray(np.sqrt((gaps.astype(np.float64) ** 2).sum(axis=2)).min(axis=1))

    def to_bytes(self) -> bytes:
        """Return one ``.npz`` file; the same arrays give the same bytes."""
        buffer = io.BytesIO()
        np.savez(
            buffer, allow_pickle=False, **{f.name: getattr(self, f.name) for f in fields(self)}
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, file: Path) -> Familiarity:
        """Read a file of :meth:`to_bytes`; :class:`InputError` if it is none."""
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return cls(**{f.name: arrays[f.name] for f in fields(cls)})
        except (OSError, ValueError, KeyError) as error:
            raise InputError(str(file), "what a reader knows of its train images", error) from error


def fit_familiarity(
    features: Floats, labels: NDArray[np.intp], *, directions: int = DIRECTIONS
) -> Familiarity:
    """Learn from ``features`` (N, F) of train images whose classes have the places ``labels``."""
    places = np.unique(labels)
    mean = features.mean(axis=0)
    _, _, rows = np.linalg.svd(features - mean, full_matrices=False)
    axes = rows[:directions].T
    seen = (features - mean) @ axes
    centres = np.stack([seen[labels == place].mean(axis=0) for place in places])
    within = seen - centres[np.searchsorted(places, labels)]
    variance, turn = np.linalg.eigh(within.T @ within / len(within))
    whitened = turn / np.sqrt(np.maximum(variance, _LEAST_VARIANCE * variance.max()))
    found = mean, axes @ whitened, centres @ whitened
    return Familiarity(*(np.asarray(array, np.float32) for array in found))
