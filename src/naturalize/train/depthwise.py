"""Depthwise convolutions in float32 amid bfloat16: on a CPU they are slower in bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def depthwise_in_fp32(model: nn.Module) -> Iterator[None]:
    """Let every depthwise convolution of ``model`` leave the autocast around it, for a while."""
    found = [
        module
        for module in model.modules()
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
    ]
    for module in found:
        module.forward = _outside_autocast(module.forward)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for module in found:
            del module.forward


def _outside_autocast(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def called(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return forward(images.float())

    return called
