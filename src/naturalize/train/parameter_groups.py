"""Which parameters learn how fast, and which of them decay."""

from __future__ import annotations

from typing import Any

from timm.optim._param_groups import param_groups_layer_decay
from torch import nn
from torch.optim import Optimizer


def parameter_groups(
    model: nn.Module, *, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Return groups of what ``model`` learns, for an optimizer.

    Weights decay, but no bias and no scale of a normalisation. With a ``layer_decay`` below 1 each
    layer learns by that factor more slowly than the one above it, kept as ``lr_scale`` of its
    group.
    """
    if layer_decay < 1:
        return list(
            param_groups_layer_decay(model, weight_decay=weight_decay, layer_decay=layer_decay)
        )
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group the learning rate ``rate``, times its ``lr_scale`` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)
