"""Finding: images whose class a model doubts, from predictions it made without having seen them.

Confident learning (Northcutt, Jiang and Chuang 2021, J. Artif. Intell. Res. 70, 1373-1411): a class
counts as likely for an image if its probability reaches the mean probability that images filed
under that class get for it. An image is suspect if its own class is not likely but another is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from naturalize.curate.finding import Finding
from naturalize.errors import InputError
from naturalize.predictions import Predictions


def find_label_suspects(labels: Mapping[str, str], predictions: Predictions) -> Iterator[Finding]:
    """Compare the classes images are filed under with out-of-sample ``predictions``, worst first.

    ``labels`` gives the class of each image of the data set; only images the predictions hold are
    judged. ``value`` is the probability of the likely class less that of the given one. Raises
    :class:`InputError` for predictions about images or without classes of the data set.
    """
    given = _given(labels, predictions)
    probabilities = predictions.probabilities.astype(np.float64)
    likely = probabilities >= class_thresholds(probabilities, given)
    own = probabilities[np.arange(len(given)), given]
    other = np.where(likely, probabilities, 0.0).argmax(axis=1)
    margin = probabilities[np.arange(len(given)), other] - own
    suspect = likely.any(axis=1) & ~likely[np.arange(len(given)), given]
    for i in np.flatnonzero(suspect)[np.argsort(-margin[suspect], kind="stable")].tolist():
        filed, looks = predictions.classes[given[i]], predictions.classes[other[i]]
        yield Finding(
            kind="label_suspect",
            path=predictions.sample_ids[i],
            value=f"{margin[i]:.3f}",
            reason=(
                f"filed under {filed} ({own[i]:.2f}), looks like {looks} "
                f"({own[i] + margin[i]:.2f}) to the model {predictions.checkpoint_id}"
            ),
        )


def class_thresholds(
    probabilities: NDArray[np.float64], given: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return each class's mean probability among the images filed under it, shape (classes,).

    ``probabilities`` is (n, classes), ``given`` (n,) the class each image is filed under. A class
    without images is never likely.

    >>> class_thresholds(np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 0]))
    array([0.7, inf])
    """
    filed = given[:, None] == np.arange(probabilities.shape[1])
    counts = filed.sum(axis=0)
    sums = np.where(filed, probabilities, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)


def _given(labels: Mapping[str, str], predictions: Predictions) -> NDArray[np.intp]:
    """Return the column of the class each predicted image is filed under."""
    columns = {name: i for i, name in enumerate(predictions.classes)}
    strays = [name for name in predictions.sample_ids if name not in labels]
    if strays:
        got = f"{len(strays)} others, for example {strays[0]}"
        raise InputError("--predictions", "images of this data set", got)
    lacked = sorted({labels[name] for name in predictions.sample_ids} - columns.keys())
    if lacked:
        got = f"none of {', '.join(lacked)}"
        raise InputError("--predictions", "probabilities of the classes of its images", got)
    return np.array([columns[labels[name]] for name in predictions.sample_ids], dtype=np.intp)
