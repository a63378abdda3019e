"""Training; the only stage that needs torch."""

from __future__ import annotations

from importlib.util import find_spec

from naturalize.errors import MissingExtraError

for _package in ("torch", "timm", "accelerate", "safetensors"):
    if find_spec(_package) is None:
        raise MissingExtraError("train", _package)
