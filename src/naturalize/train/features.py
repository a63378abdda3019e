"""What a frozen base sees in an image: computed once, kept by the digest of the pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import pad

from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.train.pixels import normalise
from naturalize.train.weights import classifier, head_names

SHARD = 1024
BATCH = 64
Images = Callable[[slice], Tensor]
"""Gives the images of a slice, uint8 (N, 3, S, S)."""


@dataclass(frozen=True, eq=False)
class FrozenBase:
    """All of ``network`` but its last layer, in evaluation mode.

    Features are kept in ``folder``, in one sub-folder for each base and normalisation, so any
    training over the same base finds those of the images it shares with an earlier one.
    """

    network: nn.Module
    mean: Sequence[float]
    std: Sequence[float]
    folder: Path

    def features(
        self, images: Images, count: int, *, what: str = "features", track: Track = quiet
    ) -> Tensor:
        """Return float32 (``count``, F) on the CPU: what enters the last layer for each image."""
        folder = self.folder / self.digest()
        kept = _kept(folder)
        rows: list[Tensor] = []
        starts = range(0, count, SHARD)
        for start in track(starts, len(starts), what):
            chunk = images(slice(start, min(start + SHARD, count)))
            keys = [_key(image) for image in chunk.cpu().contiguous()]
            new = {key: index for index, key in enumerate(keys) if key not in kept}
            if new:
                found = self._compute(chunk[list(new.values())])
                _keep(folder, list(new), found)
                kept.update(zip(new, found, strict=True))
            rows += [kept[key] for key in keys]
        return torch.stack(rows) if rows else torch.zeros(0, self._head.in_features)

    def digest(self) -> str:
        """Return 16 hexadecimal digits of the tensors below the head and the normalisation."""
        total = hashlib.sha256(repr((list(self.mean), list(self.std))).encode())
        head = head_names(self.network)
        for name, tensor in self.network.state_dict().items():
            if name not in head:
                total.update(name.encode())
                total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()[:16]

    @property
    def _head(self) -> nn.Linear:
        head = classifier(self.network)
        assert isinstance(head, nn.Linear)
        return head

    def _compute(self, pixels: Tensor) -> Tensor:
        """Run the base over batches of one size, so that no image's rounding depends on others."""
        device = next(self.network.parameters()).device
        seen: list[Tensor] = []
        hook = self._head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        self.network.eval()
        try:
            with torch.no_grad():
                for start in range(0, len(pixels), BATCH):
                    batch = pixels[start : start + BATCH].to(device)
                    full = pad(batch, (0, 0, 0, 0, 0, 0, 0, BATCH - len(batch)))
                    self.network(normalise(full, self.mean, self.std))
        finally:
            hook.remove()
        return torch.cat(seen)[: len(pixels)].float().cpu()


def _key(image: Tensor) -> bytes:
    return hashlib.sha256(image.numpy().tobytes()).digest()


def _kept(folder: Path) -> dict[bytes, Tensor]:
    """Read every feature kept for a base."""
    kept: dict[bytes, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            shard = load_file(file)
            keys, features = shard["keys"], shard["features"]
        except (OSError, KeyError, SafetensorError) as error:
            raise InputError(f"features {file}", "features kept earlier", error) from error
        kept.update((key.numpy().tobytes(), row) for key, row in zip(keys, features, strict=True))
    return kept


def _keep(folder: Path, keys: Sequence[bytes], features: Tensor) -> None:
    """Write features as a file of their own, so that several trainings can keep theirs at once."""
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(b"".join(keys)).hexdigest()[:16]
    aside = folder / f".{name}.{os.getpid()}.tmp"
    table = torch.tensor([list(key) for key in keys], dtype=torch.uint8)
    save_file({"keys": table, "features": features.contiguous()}, aside)
    aside.replace(folder / f"{name}.safetensors")
