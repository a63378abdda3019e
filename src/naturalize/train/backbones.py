"""The networks one can train, by name."""

from __future__ import annotations

from dataclasses import dataclass

import timm
import torch
from torch import nn

from naturalize.errors import InputError
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.weights import classifier, load_base, resolve_weights

Rgb3 = tuple[float, float, float]
HALF: Rgb3 = (0.5, 0.5, 0.5)
MIN_INPUT_PX = 32


@dataclass(frozen=True)
class Backbone:
    """What has to be known of a network to build it and to feed it.

    ``input_px`` is the side of its input where the user does not choose one; pixels in [0, 1] are
    normalised by ``mean`` and ``std`` per channel; ``cam_layer`` is the module whose output is the
    last map in image space; ``timm_id`` is None for a network of this package.
    """

    name: str
    timm_id: str | None
    input_px: int
    mean: Rgb3
    std: Rgb3
    cam_layer: str
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0


BACKBONES: dict[str, Backbone] = {
    "custom-cnn": Backbone("custom-cnn", None, 224, HALF, HALF, "features.10"),
    "efficientnet-lite0": Backbone(
        "efficientnet-lite0", "tf_efficientnet_lite0", 160, HALF, HALF, "bn2", 0.2, 0.1
    ),
}


def find_backbone(name: str) -> Backbone:
    """Return the row called ``name``; :class:`InputError` lists the names for an unknown one."""
    if name not in BACKBONES:
        raise InputError("model", " or ".join(BACKBONES), name)
    return BACKBONES[name]


def build(
    name: str,
    *,
    n_classes: int,
    input_px: int | None = None,
    weights: str | None = None,
    seed: int = 0,
    drop_rate: float | None = None,
    drop_path_rate: float | None = None,
) -> nn.Module:
    """Build the network ``name`` with a new head of ``n_classes`` logits, on the CPU.

    ``weights`` says where the layers below the head start from, see
    :func:`~naturalize.train.weights.resolve_weights`; whatever is drawn depends on ``seed`` only.
    The head is drawn as torch draws a linear layer: timm's is so wide that a short training is
    spent on unlearning it.
    Rates that are None are the backbone's. The model takes float images
    (N, 3, ``input_px``, ``input_px``) and has ``get_classifier()``.

    >>> build("custom-cnn", n_classes=3, input_px=32)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 3])
    """
    row = find_backbone(name)
    side = row.input_px if input_px is None else input_px
    if side < MIN_INPUT_PX:
        raise InputError("input_px", f"at least {MIN_INPUT_PX}", side)
    source = resolve_weights(name, weights)
    drop = row.drop_rate if drop_rate is None else drop_rate
    drop_path = row.drop_path_rate if drop_path_rate is None else drop_path_rate
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = (
            CustomCNN(n_classes, input_px=side, drop_rate=drop)
            if row.timm_id is None
            else timm.create_model(
                row.timm_id, num_classes=n_classes, drop_rate=drop, drop_path_rate=drop_path
            )
        )
        classifier(model).reset_parameters()  # type: ignore[operator]
    load_base(model, source)
    return model
