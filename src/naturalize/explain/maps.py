"""The last maps of a network on their grid, whatever the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from naturalize.train.backbones import find_backbone
from naturalize.train.trained_model import ModelInfo

CBAM_MAPS = "spatial"
"""The module of a ``cbam`` whose output are its last maps, both attentions applied."""
_HELD_AT_ONCE = 4
"""Outputs of its largest layer that a network is taken to hold at once."""


@dataclass(frozen=True, eq=False)
class Look:
    """What one forward pass tells of one image.

    ``maps`` (C, h, w) are the last ones in image space, ``logits`` (classes,); ``held_bytes`` is
    about how much memory the pass takes an image.
    """

    maps: Tensor
    logits: Tensor
    held_bytes: int


def cam_layer(info: ModelInfo) -> str:
    """Return the name of the module that gives a network's last maps; empty where none is known."""
    return CBAM_MAPS if info.cbam is not None else find_backbone(info.backbone).cam_layer


def look(model: nn.Module, image: Tensor, layer: str) -> Look:
    """Show ``image``, float32 (1, 3, S, S), to ``model`` once; see :func:`cam_layer`.

    Without a ``layer`` the maps are what ``forward_features`` returns, as timm's models have it. A
    transformer's tokens come back to their grid, those that stand for no place left out. No hook
    is left behind, even if the model fails.
    """
    kept: list[Tensor] = []
    sizes: list[int] = [image.nbytes]
    innermost = [module for module in model.modules() if not list(module.children())]
    watched = [model.get_submodule(layer)] if layer else []
    with torch.inference_mode(), _telling(innermost, lambda found: sizes.append(found.nbytes)):
        if not layer:
            kept.append(model.forward_features(image))  # type: ignore[operator]
        with _telling(watched, lambda found: kept.append(found.clone())):
            logits: Tensor = model(image)
    return Look(_on_grid(kept[-1], model)[0], logits[0], _HELD_AT_ONCE * max(sizes))


@contextmanager
def _telling(modules: Sequence[nn.Module], tell: Callable[[Tensor], object]) -> Iterator[None]:
    """Tell each tensor that one of ``modules`` returns inside the block."""

    def hook(_: nn.Module, __: object, found: object) -> None:
        if isinstance(found, Tensor):
            tell(found)

    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_grid(found: Tensor, model: nn.Module) -> Tensor:
    """Return maps (N, C, h, w) of maps in either order of axes, or of tokens (N, T, C)."""
    if found.ndim == 4:
        last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        return found.permute(0, 3, 1, 2) if last else found
    tokens = found[:, int(getattr(model, "num_prefix_tokens", 0)) :]
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
