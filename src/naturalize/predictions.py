"""Predictions: the only seam between models and evaluation."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Class probabilities of one model for some samples.

    ``probabilities`` is float32 of shape (samples, classes), rows adding up to 1 in the order of
    ``sample_ids``, columns in the order of ``classes``. ``checkpoint_id`` says which weights made
    them, ``split_id`` which split the samples belong to.

    >>> p = Predictions(("a",), np.array([[0.2, 0.8]], np.float32), ("BA", "EO"), "run", "split")
    >>> p.labels()
    ('EO',)
    """

    sample_ids: tuple[str, ...]
    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    checkpoint_id: str
    split_id: str

    def __post_init__(self) -> None:
        shape = (len(self.sample_ids), len(self.classes))
        if self.probabilities.shape != shape or self.probabilities.dtype != np.float32:
            got = f"{self.probabilities.dtype} {self.probabilities.shape}"
            raise InputError("probabilities", f"float32 {shape}", got)
        if not np.isfinite(self.probabilities).all():
            raise InputError("probabilities", "finite numbers", "NaN or infinity")
        if not np.allclose(self.probabilities.sum(axis=1), 1, atol=1e-3):
            raise InputError("probabilities", "rows that add up to 1", "other sums")
        if len(set(self.sample_ids)) != len(self.sample_ids):
            raise InputError("sample_ids", "each sample once", "a repeated id")
        self.probabilities.flags.writeable = False

    def labels(self) -> tuple[str, ...]:
        """Return the most probable class of each sample."""
        return tuple(self.classes[i] for i in self.probabilities.argmax(axis=1))

    def only(self, sample_ids: Collection[str]) -> Predictions:
        """Return the predictions of ``sample_ids`` alone; those of others are left out.

        :class:`InputError` where one of them was not predicted.
        """
        missing = sorted(set(sample_ids) - set(self.sample_ids))
        if missing:
            raise InputError("sample_ids", "samples that were predicted", missing[0])
        rows = [i for i, name in enumerate(self.sample_ids) if name in sample_ids]
        ids = tuple(self.sample_ids[i] for i in rows)
        kept = np.ascontiguousarray(self.probabilities[rows])
        return Predictions(ids, kept, self.classes, self.checkpoint_id, self.split_id)

    def to_bytes(self) -> bytes:
        """Return one ``.npz`` file without pickle; the same predictions give the same bytes."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            sample_ids=np.array(self.sample_ids, dtype=np.str_),
            probabilities=self.probabilities,
            classes=np.array(self.classes, dtype=np.str_),
            checkpoint_id=np.array(self.checkpoint_id),
            split_id=np.array(self.split_id),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read a file written from :meth:`to_bytes`; :class:`InputError` if it is none."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(
                    tuple(str(i) for i in arrays["sample_ids"]),
                    arrays["probabilities"],
                    tuple(str(i) for i in arrays["classes"]),
                    str(arrays["checkpoint_id"]),
                    str(arrays["split_id"]),
                )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(str(path), "a predictions file", f"another ({error})") from error
