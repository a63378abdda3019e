"""The networks one can train, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import nn

from naturalize.errors import InputError
from naturalize.train.custom_cnn import CustomCNN
from naturalize.train.weight_sources import resolve_weights
from naturalize.train.weights import classifier, load_base

Rgb3 = tuple[float, float, float]
HALF: Rgb3 = (0.5, 0.5, 0.5)
IMAGENET_MEAN: Rgb3 = (0.485, 0.456, 0.406)
IMAGENET_STD: Rgb3 = (0.229, 0.224, 0.225)
MIN_INPUT_PX = 32
FROM_TIMM = "timm:"


@dataclass(frozen=True)
class Backbone:
    """What has to be known of a network to build it and to feed it.

    ``input_px`` is the side of its input where the user does not choose one; pixels in [0, 1] are
    normalised by ``mean`` and ``std`` per channel; ``cam_layer`` is the module whose output is the
    last map in image space (of a transformer: the last tokens; empty where it is not known);
    ``timm_id`` is None for a network of this package; ``learning_rate`` is the peak for fine-tuning
    all layers with AdamW.
    """

    name: str
    timm_id: str | None
    input_px: int
    mean: Rgb3
    std: Rgb3
    cam_layer: str
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    learning_rate: float = 1.5e-3


BACKBONES: dict[str, Backbone] = {
    row.name: row
    for row in (
        Backbone("custom-cnn", None, 224, HALF, HALF, "features.10"),
        Backbone("efficientnet-lite0", "tf_efficientnet_lite0", 160, HALF, HALF, "bn2", 0.2, 0.1),
        Backbone(
            "efficientnetv2-b0", "tf_efficientnetv2_b0", 224, IMAGENET_MEAN, IMAGENET_STD,
            "bn2", 0.2, 0.1,
        ),
        Backbone(
            "densenet-121", "densenet121", 224, IMAGENET_MEAN, IMAGENET_STD,
            "features.norm5", learning_rate=1e-3,
        ),
        Backbone(
            "densenet-169", "densenet169", 224, IMAGENET_MEAN, IMAGENET_STD,
            "features.norm5", learning_rate=1e-3,
        ),
        Backbone(
            "densenet-201", "densenet201", 224, IMAGENET_MEAN, IMAGENET_STD,
            "features.norm5", learning_rate=1e-3,
        ),
        Backbone(
            "convnext-base", "convnext_base", 224, IMAGENET_MEAN, IMAGENET_STD,
            "stages.3", 0.0, 0.1, learning_rate=1e-4,
        ),
        Backbone(
            "vgg-19", "vgg19", 224, IMAGENET_MEAN, IMAGENET_STD,
            "features.35", 0.5, learning_rate=1e-4,
        ),
        Backbone(
            "vit-b16", "vit_base_patch16_224", 224, HALF, HALF,
            "blocks.11.norm1", 0.0, 0.1, learning_rate=1e-4,
        ),
    )
}  # fmt: skip


def find_backbone(name: str) -> Backbone:
    """Return the row called ``name``, or one made of what timm knows of ``timm:NAME``.

    :class:`InputError` lists the names for an unknown one.

    >>> find_backbone("timm:resnet18").input_px
    224
    """
    if name in BACKBONES:
        return BACKBONES[name]
    timm_id = name.removeprefix(FROM_TIMM)
    known = timm.get_pretrained_cfg(timm_id) if timm_id != name else None
    if known is None:
        raise InputError("model", f"{', '.join(BACKBONES)} or {FROM_TIMM}NAME", name)
    mean, std = _three(known.mean), _three(known.std)
    return Backbone(name, timm_id, known.input_size[1], mean, std, "", learning_rate=5e-4)


def _three(numbers: Sequence[float]) -> Rgb3:
    red, green, blue = numbers
    return red, green, blue


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
    :func:`~naturalize.train.weight_sources.resolve_weights`; whatever is drawn depends on ``seed``
    only.
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
    source = resolve_weights(name, row.timm_id, weights)
    drop = row.drop_rate if drop_rate is None else drop_rate
    drop_path = row.drop_path_rate if drop_path_rate is None else drop_path_rate
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: nn.Module = (
            CustomCNN(n_classes, input_px=side, drop_rate=drop)
            if row.timm_id is None
            else _from_timm(row, n_classes, side, drop, drop_path)
        )
        classifier(model).reset_parameters()  # type: ignore[operator]
    load_base(model, source)
    return model


def _from_timm(
    row: Backbone, n_classes: int, side: int, drop: float, drop_path: float
) -> nn.Module:
    """Build one of timm's networks; one that does not take images of ``side`` is refused."""
    known: Any = timm.get_pretrained_cfg(str(row.timm_id))
    given: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
    if known.fixed_input_size:
        given["img_size"] = side
    try:
        model: nn.Module = timm.create_model(
            str(row.timm_id), num_classes=n_classes, drop_rate=drop, **given
        )
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, side, side))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        got = f"{side} ({reason})"
        raise InputError("input_px", f"a size that {row.name} takes", got) from error
    if not isinstance(classifier(model), nn.Linear):
        got = type(classifier(model)).__name__
        raise InputError(f"model {row.name}", "one whose last layer is linear", got)
    return model.train()
