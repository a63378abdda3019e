"""In what precision a network computes, and whether this machine is made for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import torch

from naturalize.errors import InputError

Precision = Literal["fp32", "bf16", "auto"]
INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16")
"""For bfloat16, as torch calls them, on x86 and on ARM."""
log = logging.getLogger(__name__)


def resolve_precision(asked: Precision | None, *, on_cpu: bool) -> Literal["fp32", "bf16"]:
    """Return the precision that was asked for on a CPU or a CUDA device.

    None is ``"bf16"`` on a CUDA device alone; ``"auto"`` also on a CPU with the instructions.
    Raises :class:`InputError` for another word; ``"bf16"`` on a CPU without them is a warning.

    >>> resolve_precision(None, on_cpu=True), resolve_precision("auto", on_cpu=False)
    ('fp32', 'bf16')
    """
    if asked not in (None, "fp32", "bf16", "auto"):
        raise InputError("precision", "fp32, bf16 or auto", asked)
    if asked == "bf16" and on_cpu and not computes_bfloat16():
        log.warning("precision bf16: no instructions for it on this CPU; auto or fp32 is faster")
    if asked == "auto" and on_cpu:
        return "bf16" if computes_bfloat16() else "fp32"
    if asked is None or asked == "auto":
        return "fp32" if on_cpu else "bf16"
    return asked


def computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16; without them it is many times slower.

    A torch too old to tell counts as without.
    """
    able: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name, False) for name in INSTRUCTIONS)
