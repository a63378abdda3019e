"""Weights read from a file and put below a new head."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor, nn

from naturalize.errors import InputError
from naturalize.train.weight_sources import WeightsSource

NAMED = 5
POSITIONS = "pos_embed"


def load_base(model: nn.Module, source: WeightsSource) -> None:
    """Load every tensor of ``model`` but its head's; the head stays as it was drawn.

    A transformer's position embedding is resampled to the grid of ``model``; counts of batches may
    be missing, they decide nothing.
    :class:`InputError` names the tensors that are missing, unknown or of another shape.
    """
    if source.path is None:
        return
    found = read_tensors(source.path)
    if source.by_order:
        found = match_by_order(found, model.state_dict(), str(source.path))
    head = head_names(model)
    base = {name: tensor for name, tensor in model.state_dict().items() if name not in head}
    found = {name: tensor for name, tensor in found.items() if name not in head}
    found = _positions_resampled(found, model)
    problems = _problems(found, base)
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        got = ", ".join(problems[:NAMED]) + more
        raise InputError(f"weights {source.path}", "the tensors of this backbone", got)
    model.load_state_dict(found, strict=False)


def _problems(found: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> list[str]:
    """Say what keeps the tensors ``found`` from being those of ``base``."""
    needed = [name for name in base if not name.endswith("num_batches_tracked")]
    problems = [f"no {name}" for name in needed if name not in found]
    problems += [f"unknown {name}" for name in found if name not in base]
    problems += [
        f"{name} of shape {tuple(found[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in base.items()
        if name in found and found[name].shape != tensor.shape
    ]
    return problems


def _positions_resampled(found: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Fit the position embedding of a transformer trained at another input size."""
    tensors = dict(found)
    wanted = model.state_dict().get(POSITIONS)
    given = tensors.get(POSITIONS)
    if wanted is None or given is None or wanted.shape == given.shape or given.ndim != 3:
        return tensors
    grid = model.patch_embed.grid_size  # type: ignore[union-attr]
    prefix = wanted.shape[1] - grid[0] * grid[1]  # type: ignore[index]
    if round((given.shape[1] - prefix) ** 0.5) ** 2 == given.shape[1] - prefix:
        tensors[POSITIONS] = resample_abs_pos_embed(given, list(grid), num_prefix_tokens=prefix)  # type: ignore[arg-type]
    return tensors


def head_names(model: nn.Module) -> frozenset[str]:
    """Return the names of the tensors of the last layer, as ``state_dict`` spells them.

    >>> from naturalize.train.custom_cnn import CustomCNN
    >>> sorted(head_names(CustomCNN(input_px=32)))
    ['classifier.bias', 'classifier.weight']
    """
    head = next(n for n, module in model.named_modules() if module is classifier(model))
    return frozenset(name for name in model.state_dict() if name.startswith(f"{head}."))


def classifier(model: nn.Module) -> nn.Module:
    """Return the last layer of a network of :data:`~naturalize.train.backbones.BACKBONES`."""
    layer: nn.Module = model.get_classifier()  # type: ignore[operator]
    return layer


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a ``.safetensors`` file or a ``torch.save`` state dict; nothing is unpickled."""
    try:
        tensors: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"weights {path}", "a file of tensors", f"another ({reason})") from error
    is_state = isinstance(tensors, Mapping) and all(isinstance(t, Tensor) for t in tensors.values())
    if not is_state:
        raise InputError(f"weights {path}", "a state dict of tensors", type(tensors).__name__)
    return dict(tensors)


def match_by_order(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str
) -> dict[str, Tensor]:
    """Give the tensors of ``found`` the names of ``wanted``, one by one in order.

    The last part of each name (``weight``, ``running_mean``, ...) has to agree, so a file whose
    tensors stand in another order is refused; shapes are for :func:`load_base` to check.

    >>> one = torch.ones(1)
    >>> list(match_by_order({"_fc.bias": one}, {"classifier.bias": one}, "file"))
    ['classifier.bias']
    """
    if len(found) != len(wanted):
        raise InputError(f"weights {what}", f"{len(wanted)} tensors", len(found))
    for theirs, ours in zip(found, wanted, strict=True):
        if theirs.rsplit(".", 1)[-1] != ours.rsplit(".", 1)[-1]:
            raise InputError(f"weights {what}", f"a tensor for {ours}", theirs)
    return dict(zip(wanted, found.values(), strict=True))
