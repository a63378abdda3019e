"""The running mean of a network's weights, which is less noisy than the last of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


def copied(model: nn.Module) -> Weights:
    """Return a copy of every tensor of ``model``, by name."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def update(average: Weights, model: nn.Module, *, decay: float, step: int) -> None:
    """Move ``average`` towards ``model`` after ``step``, in place.

    It keeps ``decay`` of itself, less in the first steps (at most (1 + step) / (10 + step)), so
    that the first weights are soon forgotten. Counters are taken over as they are.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    now = model.state_dict()
    floats = [name for name, tensor in average.items() if tensor.is_floating_point()]
    torch._foreach_lerp_([average[n] for n in floats], [now[n].detach() for n in floats], weight)
    for name in average.keys() - set(floats):
        average[name].copy_(now[name])


@contextmanager
def lent(model: nn.Module, weights: Weights) -> Iterator[None]:
    """Give ``model`` other weights for a while; its own where ``weights`` is empty."""
    own = copied(model) if weights else {}
    try:
        put(model, weights)
        yield
    finally:
        put(model, own)


def put(model: nn.Module, weights: Weights) -> None:
    """Give ``model`` other weights for good; its own where ``weights`` is empty."""
    if weights:
        model.load_state_dict(weights)
