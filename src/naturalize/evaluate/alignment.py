"""Bring predictions of the same samples into one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from naturalize.errors import InputError
from naturalize.predictions import Predictions


def aligned(
    predictions: Predictions, sample_ids: Sequence[str], classes: Sequence[str]
) -> Predictions:
    """Return ``predictions`` with rows in the order of ``sample_ids``, columns of ``classes``.

    Raises :class:`InputError` unless the predictions are for exactly these samples and choose
    between exactly these classes; the order of either does not matter.
    """
    name = f"predictions of {predictions.checkpoint_id}"
    same_set(f"{name}: classes", classes, predictions.classes)
    same_set(f"{name}: samples", sample_ids, predictions.sample_ids)
    row = {sample_id: index for index, sample_id in enumerate(predictions.sample_ids)}
    rows = [row[sample_id] for sample_id in sample_ids]
    columns = [predictions.classes.index(label) for label in classes]
    sorted_out = np.ascontiguousarray(predictions.probabilities[rows][:, columns])
    return replace(
        predictions,
        sample_ids=tuple(sample_ids),
        probabilities=sorted_out,
        classes=tuple(classes),
    )


def same_set(argument: str, expected: Sequence[str], got: Sequence[str]) -> None:
    """Raise :class:`InputError` unless both hold the same names, in whatever order."""
    missing, extra = sorted(set(expected) - set(got)), sorted(set(got) - set(expected))
    if missing or extra:
        parts = [f"{len(missing)} missing (such as {missing[0]})"] if missing else []
        parts += [f"{len(extra)} others (such as {extra[0]})"] if extra else []
        raise InputError(argument, f"the same {len(set(expected))}", " and ".join(parts))
