"""What a training looks at, step by step; here all of it is held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from naturalize.compose.batches import Batches

Pixels = tuple[Tensor, Tensor]
"""Images of one batch, uint8 (N, 3, S, S), and their class indices, int64 (N,)."""


class Feed(Protocol):
    """Gives the images of each step; the same ones whenever it is asked."""

    @property
    def batches(self) -> Batches:
        """Which images each step shows."""
        ...

    def steps(self, first: int, stop: int, share: slice) -> Iterator[Pixels]:
        """Yield what steps ``first`` to ``stop`` - 1 show: of each batch the slots in ``share``."""
        ...


@dataclass(frozen=True, eq=False)
class PoolFeed:
    """Feeds from ``pool``, uint8 (N, 3, S, S): real images first, then composites."""

    pool: Tensor
    batches: Batches

    def steps(self, first: int, stop: int, share: slice) -> Iterator[Pixels]:
        """Yield what steps ``first`` to ``stop`` - 1 show: of each batch the slots in ``share``."""
        for step in range(first, stop):
            batch = self.batches.at(step)
            chosen = torch.from_numpy(batch.images[share]).to(self.pool.device)
            yield self.pool[chosen], torch.from_numpy(batch.labels[share])


def near(pool: Tensor, device: torch.device) -> Tensor:
    """Keep the pool on a CUDA device where it takes at most half of the free memory there."""
    if device.type != "cuda":
        return pool
    free, _ = torch.cuda.mem_get_info(device)
    return pool.to(device) if pool.numel() < free / 2 else pool
