"""Several processes at one training, as torchrun starts them: what the first tells the others."""

from __future__ import annotations

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from naturalize.errors import InputError


def told_by_first(accelerator: Accelerator, said: str | None) -> str | None:
    """Return what the first process says; what the others pass does not matter."""
    box: list[str | None] = [said]
    broadcast_object_list(box)
    return box[0]


def check_shares(accelerator: Accelerator, batch_size: int) -> None:
    """Refuse a batch that cannot be dealt out evenly: each process would count differently."""
    if batch_size % accelerator.num_processes:
        allowed = f"a multiple of the {accelerator.num_processes} processes"
        raise InputError("batch_size", allowed, batch_size)
