"""Where a training runs and in what precision, in one process or in several of torchrun."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from naturalize.errors import InputError
from naturalize.train.depthwise import depthwise_in_fp32
from naturalize.train.precision import Precision, resolve_precision

MIXED = {"fp32": "no", "bf16": "bf16"}


def start_accelerator(device: str | None = None, precision: Precision | None = None) -> Accelerator:
    """Return what places a training.

    ``device`` is ``"cpu"``, ``"cuda"`` or None for the best one there is, ``precision`` as in
    :func:`~naturalize.train.precision.resolve_precision`; bfloat16 is an autocast. A process keeps
    the device and the precision it first trained with.
    """
    if device not in (None, "cpu", "cuda"):
        raise InputError("device", "cpu or cuda", device)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "cpu, as torch finds no CUDA device", device)
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    mixed = MIXED[resolve_precision(precision, on_cpu=on_cpu)]
    try:
        return Accelerator(cpu=on_cpu, mixed_precision=mixed)
    except ValueError as error:
        got = f"{device or 'another'}, {precision or 'another'}"
        raise InputError("device, precision", "what this process trained with", got) from error


def precise(model: nn.Module, accelerator: Accelerator) -> AbstractContextManager[None]:
    """Return a context in which ``model`` computes what a CPU does better in float32 so."""
    on_cpu = accelerator.device.type == "cpu"
    if on_cpu and accelerator.mixed_precision == MIXED["bf16"]:
        return depthwise_in_fp32(model)
    return nullcontext()


def told_by_first(said: str | None) -> str | None:
    """Return what the first process says; what the others pass does not matter."""
    box: list[str | None] = [said]
    broadcast_object_list(box)
    return box[0]


def check_shares(accelerator: Accelerator, batch_size: int) -> None:
    """Refuse a batch that cannot be dealt out evenly: each process would count differently."""
    if batch_size % accelerator.num_processes:
        allowed = f"a multiple of the {accelerator.num_processes} processes"
        raise InputError("batch_size", allowed, batch_size)
