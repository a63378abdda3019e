"""Where SAM's weights lie: a local folder, or the cache of Hugging Face's hub. No network."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from naturalize.errors import InputError, MissingExtraError

CONFIG = "config.json"
TENSORS = "model.safetensors"
_PACKAGES = ("torch", "transformers", "safetensors")


def require_extra() -> None:
    """Raise :class:`MissingExtraError` unless the packages of the ``sam`` extra are installed."""
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError("sam", package)


def find_weights(weights: str) -> Path:
    """Return the local folder that holds ``config.json`` and ``model.safetensors``.

    ``weights`` is such a folder or the hub id of a model that was downloaded before; nothing is
    downloaded here. :class:`InputError` names the ways to get weights that are not at hand.
    """
    given = Path(weights).expanduser()
    folder = given if given.is_dir() else _cached(weights)
    missing = [name for name in (CONFIG, TENSORS) if not (folder / name).is_file()]
    if missing:
        raise _missing(weights, f"a folder without {' and '.join(missing)}")
    _check_kind(folder / CONFIG)
    return folder


def weights_digest(weights: str) -> str:
    """Return the SHA-256 of the tensors ``weights`` means; errors as :func:`find_weights`."""
    file = (find_weights(weights) / TENSORS).resolve()
    known = file.stat()
    return _file_digest(file, known.st_size, known.st_mtime_ns)


@lru_cache(maxsize=8)
def _file_digest(file: Path, size: int, changed_ns: int) -> str:
    """Digest a file; size and time of change are there to tell a new file from the one cached."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _cached(hub_id: str) -> Path:
    """Return the folder of a hub id in the cache, where it is."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    try:
        found = [hf_hub_download(hub_id, n, local_files_only=True) for n in (CONFIG, TENSORS)]
    except (OSError, EntryNotFoundError, HFValidationError) as error:
        raise _missing(hub_id, "neither a folder nor a model downloaded before") from error
    return Path(found[0]).parent


def _check_kind(config: Path) -> None:
    """Refuse a folder that holds another kind of model."""
    try:
        kind = json.loads(config.read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(str(config), "the config.json of a SAM model", "another file") from error
    if kind != "sam":
        raise InputError(str(config), "a model of type sam (ViT-B/L/H, SlimSAM)", kind)


def _missing(weights: str, got: str) -> InputError:
    expected = (
        "SAM weights, which come in three ways: with a network, `hf download "
        f"facebook/sam-vit-base {CONFIG} {TENSORS}`; a local folder holding {CONFIG} and {TENSORS}"
        "; or the cache of a machine that has them, copied here with HF_HOME set to it"
    )
    return InputError(f"weights {weights}", expected, got)
