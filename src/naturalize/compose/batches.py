"""Which images the batch at each step holds: a pure function of seed and step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.seeds import child

Indices = NDArray[np.int64]
Share = float | Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Batch:
    """Pool indices and class indices of one batch, both int64 (batch size,).

    ``fell_back`` marks the slots where a composite was due but its class has none.
    """

    images: Indices
    labels: Indices
    fell_back: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Batches:
    """The order of training over a pool of real images first, then composites.

    ``real`` and ``composites`` hold class indices. The real images come in shuffled epochs; a slot
    gives way with probability ``synthetic_share`` (one for all, or float64 (classes,)) to a random
    composite of the same class, so the labels at a step do not depend on the composites at all.
    Where composites are made online, one entry a class stands for all there are. ``balanced`` shows
    the classes in turn, each as often as any other, and the images of a class equally often.

    >>> real, composites = np.array([0, 1]), np.array([1])
    >>> batch = Batches(real, composites, 1.0, batch_size=2, seed=0).at(0)
    >>> sorted(batch.images.tolist()), batch.fell_back.sum()
    ([0, 2], np.int64(1))
    """

    real: Indices
    composites: Indices
    synthetic_share: float | NDArray[np.float64]
    batch_size: int
    seed: int
    balanced: bool = False

    @classmethod
    def of(
        cls,
        real: Sequence[str],
        composites: Sequence[str],
        classes: Sequence[str],
        *,
        share: Share,
        batch_size: int,
        seed: int,
        balanced: bool = False,
    ) -> Batches:
        """Order images of the labels ``real`` and ``composites``; ``share`` may name classes.

        Raises :class:`InputError` where a class has no real image, and for unknown classes.
        """
        empty = sorted(set(classes) - set(real))
        if empty:
            allowed = "train images of every class (add some, or leave the class out)"
            raise InputError("split", allowed, f"none of {', '.join(empty)}")
        return cls(
            _class_indices(real, classes),
            _class_indices(composites, classes),
            _shares(share, classes),
            batch_size,
            seed,
            balanced,
        )

    def at(self, step: int) -> Batch:
        """Return the batch at ``step``, counted from 0."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        images = self._in_turn(positions) if self.balanced else self._real_at(positions)
        labels = self.real[images]
        rng = child(self.seed, "synthetic", step)
        counts = np.bincount(self.composites, minlength=int(self.real.max()) + 1)
        share = np.broadcast_to(self.synthetic_share, counts.shape)
        due = rng.random(self.batch_size) < share[labels]
        which = rng.random(self.batch_size)
        synthetic = due & (counts[labels] > 0)
        first = np.cumsum(counts) - counts
        by_class = np.argsort(self.composites, kind="stable")
        chosen = (first[labels] + which * counts[labels]).astype(np.int64)[synthetic]
        images[synthetic] = len(self.real) + by_class[chosen]
        return Batch(images, labels, due & ~synthetic)

    def exposure(self, steps: int, n_classes: int) -> Exposure:
        """Count what the first ``steps`` batches show of each class."""
        seen = [self.at(step) for step in range(steps)]
        images = np.concatenate([batch.images for batch in seen])
        labels = np.concatenate([batch.labels for batch in seen])
        fell_back = np.concatenate([batch.fell_back for batch in seen])
        is_real = images < len(self.real)
        return Exposure(
            np.bincount(labels[is_real], minlength=n_classes),
            np.bincount(labels[~is_real], minlength=n_classes),
            np.bincount(labels[fell_back], minlength=n_classes),
        )

    def _real_at(self, positions: Indices) -> Indices:
        epochs, offsets = np.divmod(positions, len(self.real))
        images = np.empty(len(positions), np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            images[here] = _epoch(self.seed, int(epoch), len(self.real))[offsets[here]]
        return images

    def _in_turn(self, positions: Indices) -> Indices:
        """Return the images at ``positions`` where each round shows one image of every class."""
        by_class = np.argsort(self.real, kind="stable")
        counts = np.bincount(self.real)
        first = np.cumsum(counts) - counts
        images = np.empty(len(positions), np.int64)
        for slot, position in enumerate(positions.tolist()):
            turn, place = divmod(position, len(counts))
            label = int(_round(self.seed, turn, len(counts))[place])
            epoch, offset = divmod(turn, int(counts[label]))
            order = _class_epoch(self.seed, label, epoch, int(counts[label]))
            images[slot] = by_class[first[label] + order[offset]]
        return images


@dataclass(frozen=True, eq=False)
class Exposure:
    """How often each class was shown, int64 (classes,): real, synthetic, and real as fallback.

    ``fallback`` is part of ``real``: a composite was due, but the class has none.
    """

    real: Indices
    synthetic: Indices
    fallback: Indices


def _class_indices(labels: Sequence[str], classes: Sequence[str]) -> Indices:
    number = {label: index for index, label in enumerate(classes)}
    unknown = sorted(set(labels) - set(classes))
    if unknown:
        raise InputError("labels", f"those of the split ({', '.join(classes)})", unknown)
    return np.array([number[label] for label in labels], dtype=np.int64)


def _shares(share: Share, classes: Sequence[str]) -> NDArray[np.float64]:
    named = share if isinstance(share, Mapping) else dict.fromkeys(classes, share)
    unknown = sorted(set(named) - set(classes))
    if unknown:
        raise InputError("share", f"classes of the split ({', '.join(classes)})", unknown)
    shares = np.array([named.get(label, 0.0) for label in classes], dtype=np.float64)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise InputError("share", "numbers from 0 to 1", share)
    return shares


@lru_cache(maxsize=4)
def _epoch(seed: int, epoch: int, count: int) -> Indices:
    return child(seed, "epoch", epoch).permutation(count)


@lru_cache(maxsize=256)
def _round(seed: int, turn: int, classes: int) -> Indices:
    return child(seed, "round", turn).permutation(classes)


@lru_cache(maxsize=256)
def _class_epoch(seed: int, label: int, epoch: int, count: int) -> Indices:
    return child(seed, "class epoch", label, epoch).permutation(count)
