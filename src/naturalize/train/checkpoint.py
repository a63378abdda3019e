"""The state of an unfinished training: one safetensors file, whole or absent, never unpickled.

Tensors are named ``model.NAME``, ``optimizer.INDEX.NAME`` (parameters counted over all groups),
``average.NAME``, ``best.NAME`` and ``losses``; scalars lie as JSON in the file's header.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from naturalize.errors import InputError
from naturalize.train.ema import Weights
from naturalize.train.validation import Validated


@dataclass
class TrainingState:
    """Everything that decides the rest of a training, and what it has told so far.

    ``losses`` is float32 (steps,), filled up to ``step``; ``average`` is the running mean of the
    weights (empty where none is kept), ``best`` the weights that validated best (empty before).
    """

    model: nn.Module
    optimizer: Optimizer
    losses: Tensor
    average: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    validated: list[Validated] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0


def save_checkpoint(path: Path, state: TrainingState) -> None:
    """Write ``state`` whole or not at all; the folder is made."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(state)}
    told = {
        "step": state.step,
        "seconds": state.seconds,
        "validated": [asdict(one) for one in state.validated],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(whole, aside, metadata={"progress": json.dumps(told)})
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def load_checkpoint(path: Path, state: TrainingState) -> None:
    """Fill ``state`` with what ``path`` holds; leave it as it is where there is no such file.

    Memory layouts stay those of the model, so that the same kernels run as before.
    """
    if not path.exists():
        return
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state.model.load_state_dict(_part(tensors, "model."))
        state.losses.copy_(tensors["losses"])
        state.validated = [Validated(**one) for one in told["validated"]]
        state.step, state.seconds = told["step"], told["seconds"]
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(str(path), "a checkpoint of this training", error) from error
    for index, parameter in enumerate(_parameters(state.optimizer)):
        saved = _part(tensors, f"optimizer.{index}.")
        state.optimizer.state[parameter] = {n: _like(parameter, t) for n, t in saved.items()}
    now = state.model.state_dict()
    state.average = {n: _like(now[n], t) for n, t in _part(tensors, "average.").items()}
    state.best = {n: _like(now[n], t) for n, t in _part(tensors, "best.").items()}


def _tensors(state: TrainingState) -> Iterator[tuple[str, Tensor]]:
    weights = {"model": state.model.state_dict(), "average": state.average, "best": state.best}
    for part, tensors in weights.items():
        yield from ((f"{part}.{name}", tensor) for name, tensor in tensors.items())
    for index, parameter in enumerate(_parameters(state.optimizer)):
        for name, tensor in state.optimizer.state[parameter].items():
            yield f"optimizer.{index}.{name}", tensor
    yield "losses", state.losses


def _part(tensors: Weights, prefix: str) -> Weights:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Lay ``tensor`` out as ``parameter``; step counters, which have no axes, stay on the CPU."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor).detach()
