"""Teach the network that sees cells: composites are its lessons, for their outlines are known."""

from __future__ import annotations

from importlib.util import find_spec

from naturalize.errors import MissingExtraError

for _package in ("torch", "safetensors", "onnx"):
    if find_spec(_package) is None:
        raise MissingExtraError("train", _package)
