"""A trained network and what is needed to feed it, as a run stores them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from torch import nn

from naturalize.artefact import Artefact
from naturalize.errors import InputError
from naturalize.train.backbones import build
from naturalize.train.weights import read_tensors

WEIGHTS = "model.safetensors"
INFO = "model.json"


class ModelInfo(BaseModel):
    """How to build a network again and to make its input from an image.

    ``classes`` are the columns of its logits; ``crop_px`` None is the largest centred square; see
    :func:`~naturalize.train.pixels.fit_square` and :func:`~naturalize.train.pixels.normalise`.
    ``weights`` says where its base started from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    classes: tuple[str, ...]
    input_px: int
    crop_px: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str


def load_model(run: Artefact) -> tuple[nn.Module, ModelInfo]:
    """Return the network of a ``run`` on the CPU, in evaluation mode, and its description."""
    if run.kind != "run":
        raise InputError(str(run.path), "a run folder", f"a {run.kind} folder")
    info = _read_info(run.path / INFO)
    path = run.path / WEIGHTS
    model = build(
        info.backbone, n_classes=len(info.classes), input_px=info.input_px, weights="random"
    )
    try:
        model.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        raise InputError(
            str(run.path / WEIGHTS), f"the tensors of {info.backbone}", error
        ) from error
    return model.eval(), info


def model_bytes(model: nn.Module) -> bytes:
    """Return the tensors of ``model`` as one safetensors file; equal tensors give equal bytes."""
    return save({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()})


def _read_info(path: Path) -> ModelInfo:
    try:
        return ModelInfo.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(str(path), "a readable description of a model", error) from error
