"""How often each class was taken for each other one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError


def confusion_matrix(
    truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Count samples by true class (rows) and predicted class (columns), in order of ``classes``.

    Returns an int64 array of shape (classes, classes). Raises :class:`InputError` for a label that
    is not one of ``classes``, a repeated class, or sequences of different lengths.

    >>> confusion_matrix(["EO", "EO", "BA"], ["EO", "BA", "BA"], ["BA", "EO"]).tolist()
    [[1, 0], [1, 1]]
    """
    cells = confusion_cells(truth, predicted, classes)
    size = len(classes)
    return np.bincount(cells, minlength=size * size).reshape(size, size)


def confusion_cells(
    truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return for each sample the index of its cell in the flattened confusion matrix.

    The index is ``row * len(classes) + column``; shape (samples,). Errors as
    :func:`confusion_matrix`.
    """
    if len(truth) != len(predicted):
        raise InputError("predicted", f"{len(truth)} labels, as in truth", len(predicted))
    rows = class_indices(truth, classes, argument="truth")
    columns = class_indices(predicted, classes, argument="predicted")
    return rows * len(classes) + columns


def class_indices(
    labels: Sequence[str], classes: Sequence[str], *, argument: str
) -> NDArray[np.int64]:
    """Return the position of each label in ``classes``, shape (labels,).

    ``argument`` is named in the :class:`InputError` for an unknown label.
    """
    position = {label: index for index, label in enumerate(classes)}
    if len(position) != len(classes):
        raise InputError("classes", "each class once", list(classes))
    unknown = sorted(set(labels) - set(position))
    if unknown:
        raise InputError(argument, f"one of {', '.join(classes)}", unknown[0])
    return np.fromiter((position[label] for label in labels), np.int64, len(labels))
