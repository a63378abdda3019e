"""Several models asked together: the mean of their probabilities, plain or weighted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.evaluate.alignment import aligned, same_set
from naturalize.predictions import Predictions

ROUNDS = 500


def average(members: Sequence[Predictions], weights: Sequence[float] | None = None) -> Predictions:
    """Return the mean of the probabilities of ``members``, in the order of the first.

    ``weights`` are at least 0 and add up to 1; by default all are the same. Raises
    :class:`InputError` unless all members are of one split, one set of samples and of classes.

    >>> one, two = (Predictions(("a",), np.array([row], np.float32), ("x", "y"), "run", "split")
    ...             for row in ([1.0, 0.0], [0.0, 1.0]))
    >>> average([one, two], [0.75, 0.25]).probabilities.tolist()
    [[0.75, 0.25]]
    """
    shares = _checked(members, weights)
    stacked = np.stack(_aligned(members))
    mean = np.tensordot(shares, stacked.astype(np.float64), axes=1).astype(np.float32)
    told = [
        (member.checkpoint_id, float(share)) for member, share in zip(members, shares, strict=True)
    ]
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    first = members[0]
    return Predictions(first.sample_ids, mean, first.classes, f"average {digest}", first.split_id)


def validation_weights(
    members: Sequence[Predictions], truth: Mapping[str, str]
) -> tuple[float, ...]:
    """Return the weights under which the mean of ``members`` makes ``truth`` most probable.

    To be found on validation images, whose labels are ``truth`` by sample id. The likelihood has
    one maximum; expectation maximisation for the weights of a mixture climbs to it.
    """
    _checked(members, None)
    first = members[0]
    same_set("truth", first.sample_ids, tuple(truth))
    columns = [first.classes.index(truth[sample_id]) for sample_id in first.sample_ids]
    if not columns:
        raise InputError("weights", "validation images to find them on", "none")
    right = np.stack([p[np.arange(len(columns)), columns] for p in _aligned(members)])
    likely = np.maximum(right.astype(np.float64), 1e-12)
    shares = np.full(len(members), 1 / len(members))
    for _ in range(ROUNDS):
        joint = shares[:, np.newaxis] * likely
        shares = (joint / joint.sum(axis=0)).mean(axis=1)
    return tuple(float(share) for share in shares)


def _checked(
    members: Sequence[Predictions], weights: Sequence[float] | None
) -> NDArray[np.float64]:
    """Refuse members that do not belong together, and weights that are none."""
    if len(members) < 2:
        raise InputError("members", "at least two", len(members))
    strays = {member.split_id for member in members} - {members[0].split_id}
    if strays:
        raise InputError("members", f"predictions of split {members[0].split_id}", min(strays))
    given = [1 / len(members)] * len(members) if weights is None else list(weights)
    shares = np.array(given, np.float64)
    if shares.shape != (len(members),) or (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise InputError("weights", f"{len(members)} numbers from 0 that add up to 1", given)
    return shares


def _aligned(members: Sequence[Predictions]) -> list[NDArray[np.float32]]:
    """Return the probabilities of each member with rows and columns as in the first."""
    first = members[0]
    return [aligned(member, first.sample_ids, first.classes).probabilities for member in members]
