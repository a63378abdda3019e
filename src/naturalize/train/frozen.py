"""The lowest stages of a network kept as they came: less to compute, less to unlearn."""

from __future__ import annotations

from typing import Any, cast

from timm.models import group_parameters
from torch import nn

from naturalize.errors import InputError


def freeze(model: nn.Module, stages: int) -> None:
    """Take the lowest ``stages`` of ``model`` out of a training: weights and running means stay.

    Stages are timm's coarse layer groups: the stem is one, then each stage of blocks; the head
    cannot be frozen. A frozen stage drops no paths and needs no backward pass, which is much of the
    time of the stages that see large maps. :class:`InputError` where there are not so many.

    >>> from naturalize.train.custom_cnn import CustomCNN
    >>> freeze(model := CustomCNN(3, input_px=32), 2)
    >>> sorted({name.split(".")[1] for name, p in model.named_parameters() if not p.requires_grad})
    ['0', '3']
    """
    stage_of = _stages(model)
    most = max(stage_of.values())
    if not 0 <= stages <= most:
        raise InputError("frozen", f"0 to {most} stages of this network", stages)
    for name, parameter in model.named_parameters():
        if stage_of[name] < stages:
            parameter.requires_grad_(False)
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def _stages(model: nn.Module) -> dict[str, int]:
    """Return the stage of each parameter, 0 for the stem."""
    matcher = cast(Any, model).group_matcher(coarse=True)
    return cast(dict[str, int], group_parameters(model, matcher, reverse=True))
