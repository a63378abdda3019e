"""A trained network and what is needed to feed it, as a run stores them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import save
from torch import nn

from naturalize.artefact import Artefact
from naturalize.errors import InputError
from naturalize.train.backbones import build
from naturalize.train.cbam import Cbam, Merge, Spatial
from naturalize.train.weights import read_tensors

WEIGHTS = "model.safetensors"
INFO = "model.json"


class CbamInfo(BaseModel):
    """What stands below the head of a ``cbam``, and how its maps are merged and weighed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branches: tuple[ModelInfo, ...]
    merge: Merge
    spatial: Spatial


class ModelInfo(BaseModel):
    """How to build a network again and to make its input from an image.

    ``classes`` are the columns of its logits; ``crop_px`` None is the largest centred square; see
    :func:`~naturalize.train.pixels.fit_square` and :func:`~naturalize.train.pixels.normalise`.
    ``weights`` says where its base started from; ``views`` orientations of an image are asked and
    their probabilities averaged; ``cbam`` is there for a head over two networks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str
    classes: tuple[str, ...]
    input_px: int
    crop_px: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str
    views: int = 1
    cbam: CbamInfo | None = None


def build_network(info: ModelInfo, *, weights: str | None, seed: int = 0) -> nn.Module:
    """Build the network that ``info`` describes, on the CPU; arguments as for ``build``.

    That of a ``cbam`` stands over branches that start from ``weights`` each.
    """
    if info.cbam is None:
        side, n_classes = info.input_px, len(info.classes)
        return build(info.backbone, n_classes=n_classes, input_px=side, weights=weights, seed=seed)
    branches = [build_network(one, weights=weights, seed=seed) for one in info.cbam.branches]
    return join(branches, info, seed=seed)


def join(branches: Sequence[nn.Module], info: ModelInfo, *, seed: int) -> nn.Module:
    """Put a new head over ``branches``; :class:`InputError` where one has no maps to merge."""
    assert info.cbam is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = Cbam(
                branches,
                [(one.mean, one.std) for one in info.cbam.branches],
                n_classes=len(info.classes),
                merge=info.cbam.merge,
                spatial=info.cbam.spatial,
            )
            with torch.no_grad():
                model.eval()(torch.zeros(1, 3, info.input_px, info.input_px))
        except (AttributeError, RuntimeError, TypeError) as error:
            names = " and ".join(one.backbone for one in info.cbam.branches)
            got = f"{names} ({str(error).splitlines()[0]})"
            raise InputError("model cbam", "two networks with maps to merge", got) from error
    return model.train()


def load_model(run: Artefact) -> tuple[nn.Module, ModelInfo]:
    """Return the network of a ``run`` on the CPU, in evaluation mode, and its description."""
    info = load_info(run)
    model = build_network(info, weights="random")
    try:
        model.load_state_dict(read_tensors(run.path / WEIGHTS))
    except RuntimeError as error:
        got = str(run.path / WEIGHTS)
        raise InputError(got, f"the tensors of {info.backbone}", error) from error
    return model.eval(), info


def load_info(run: Artefact) -> ModelInfo:
    """Return the description of the network of a ``run``."""
    if run.kind != "run":
        raise InputError(str(run.path), "a run folder", f"a {run.kind} folder")
    path = run.path / INFO
    try:
        return ModelInfo.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(str(path), "a readable description of a model", error) from error


def model_bytes(model: nn.Module) -> bytes:
    """Return the tensors of ``model`` as one safetensors file; equal tensors give equal bytes."""
    return save({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()})
