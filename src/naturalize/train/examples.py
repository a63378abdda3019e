"""What a network learns from, step by step: inputs and targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from naturalize.train.feed import Feed
from naturalize.train.prepare import Preparation

TrainingBatch = tuple[Tensor, Tensor]
"""Inputs of one step, float32 (N, ...), and targets, float32 (N, classes)."""


class Examples(Protocol):
    """Gives the batches of a training; the same ones whenever it is asked."""

    @property
    def batch_size(self) -> int:
        """The number of slots of a step, those of all processes together."""
        ...

    def steps(self, first: int, stop: int, share: slice) -> Iterator[TrainingBatch]:
        """Yield what steps ``first`` to ``stop`` - 1 teach: of each batch the slots ``share``."""
        ...


@dataclass(frozen=True, eq=False)
class ImageExamples:
    """The images of a feed, prepared for the network."""

    feed: Feed
    preparation: Preparation

    @property
    def batch_size(self) -> int:
        """The number of slots of a step, those of all processes together."""
        return self.feed.batches.batch_size

    def steps(self, first: int, stop: int, share: slice) -> Iterator[TrainingBatch]:
        """Yield what steps ``first`` to ``stop`` - 1 teach: of each batch the slots ``share``."""
        for step, shown in enumerate(self.feed.steps(first, stop, share), start=first):
            yield self.preparation(shown, step, share)


@dataclass(frozen=True, eq=False)
class FeatureExamples:
    """Features computed beforehand, float32 (M, F), for a head alone.

    ``rows`` says which of them each slot of each step shows and ``targets`` what is to be
    answered, int64 (steps, batch size) and float32 (M, classes).
    """

    features: Tensor
    rows: Tensor
    targets: Tensor

    @property
    def batch_size(self) -> int:
        """The number of slots of a step, those of all processes together."""
        return self.rows.shape[1]

    def steps(self, first: int, stop: int, share: slice) -> Iterator[TrainingBatch]:
        """Yield what steps ``first`` to ``stop`` - 1 teach: of each batch the slots ``share``."""
        for step in range(first, stop):
            rows = self.rows[step, share].to(self.features.device)
            yield torch.index_select(self.features, 0, rows), self.targets[rows]
