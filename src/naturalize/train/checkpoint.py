"""The state of an unfinished training: one safetensors file, whole or absent, never unpickled.

Tensors are named ``model.NAME``, ``optimizer.INDEX.NAME`` (parameters counted over all groups) and
``losses``; scalars lie as JSON in the file's header.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from naturalize.artefact import write_whole
from naturalize.errors import InputError


@dataclass(frozen=True)
class Progress:
    """How far a training is: steps done, and the seconds they took."""

    step: int = 0
    seconds: float = 0.0


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, losses: Tensor, progress: Progress
) -> None:
    """Write everything that decides the rest of a training; the folder is made."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for index, parameter in enumerate(_parameters(optimizer)):
        for name, tensor in optimizer.state[parameter].items():
            tensors[f"optimizer.{index}.{name}"] = tensor
    tensors["losses"] = losses
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, save(whole, metadata={"progress": json.dumps(asdict(progress))}))


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer, losses: Tensor) -> Progress:
    """Put a saved state into ``model``, ``optimizer`` and ``losses``; nothing where none is saved.

    Memory layouts stay those of the model, so that the same kernels run as before.
    """
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as file:
            progress = Progress(**json.loads(file.metadata()["progress"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
        losses.copy_(tensors["losses"])
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(str(path), "a checkpoint of this training", error) from error
    for index, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer.{index}."
        optimizer.state[parameter] = {
            name.removeprefix(prefix): _like(parameter, tensor)
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
    return progress


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Lay ``tensor`` out as ``parameter``; step counters, which have no axes, stay on the CPU."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor).detach()
