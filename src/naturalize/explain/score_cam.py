"""Score-CAM (Wang et al. 2019, arXiv:1910.01279): which places make a class likely.

Each of the last maps of a network, scaled to [0, 1] and enlarged, masks the image; what the network
answers to that says how much the map counts. No gradient is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from naturalize.errors import InputError
from naturalize.explain.alike import clusters, distinct
from naturalize.explain.maps import look
from naturalize.train.predict import evaluating

Weighting = Literal["softmax", "increase"]
"""``softmax``: of the logits of the class over all maps, as in the paper's algorithm 1.

``increase``: by how much the probability of the class is above that of the empty image, as in its
definition 2; a map that lowers it counts against.
"""
MEMORY_MIB = 64
CHANNELS = 96
_MASKS_BESIDE = 3
"""Copies of a masked image held beside the pass itself: masks, products, and what is freed late."""

Heat = NDArray[np.float32]


@dataclass(frozen=True)
class CamSettings:
    """How a picture is made.

    ``channels`` is the number of masks shown to the network, each for a group of near-identical
    maps; None shows every map that differs from the others, as in the paper. ``memory_mib`` is
    about how much the masked images in work may take at once.
    """

    channels: int | None = CHANNELS
    weighting: Weighting = "softmax"
    memory_mib: int = MEMORY_MIB

    def __post_init__(self) -> None:
        if self.channels is not None and self.channels < 1:
            raise InputError("--channels", "at least 1, or all", self.channels)
        if self.weighting not in get_args(Weighting):
            raise InputError("--weighting", " or ".join(get_args(Weighting)), self.weighting)
        if self.memory_mib < 1:
            raise InputError("--memory", "at least 1 MiB", self.memory_mib)


def score_cam(
    model: nn.Module, image: Tensor, *, layer: str, target: int, settings: CamSettings
) -> Heat:
    """Return the heat of class ``target``, float32 (S, S) in [0, 1]; zeros where nothing speaks.

    ``image`` is float32 (1, 3, S, S), normalised; a mask shows its mean colour where it is 0.
    ``layer`` names the module with the last maps, see :func:`~naturalize.explain.maps.cam_layer`.
    Flat maps, which cannot be scaled, count as empty masks. The modes of all modules stay as they
    are, whatever happens.
    """
    with evaluating(model), torch.inference_mode():
        seen = look(model, image, layer)
        maps = seen.maps.float().cpu().numpy()
        flat, count = unit_maps(maps).reshape(len(maps), -1), settings.channels
        masks, which = distinct(flat) if count is None else clusters(flat, count)
        held = seen.held_bytes + _MASKS_BESIDE * image.nbytes
        batch = max(1, settings.memory_mib * 2**20 // held)
        grid = torch.from_numpy(masks).reshape(-1, 1, *maps.shape[1:])
        answers = torch.cat(list(_answers(model, image, grid, batch)))[which]
        if settings.weighting == "softmax":
            weights = answers[:, target].double().softmax(dim=0)
        else:
            empty = model(torch.zeros_like(image)).softmax(dim=1)[0, target].cpu()
            weights = (answers.softmax(dim=1)[:, target] - empty).double()
    return weighted(maps, weights.numpy(), image.shape[-1])


def unit_maps(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring each map of (C, h, w) to [0, 1]; flat ones are 0 everywhere."""
    low, high = (end(maps, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
    spread = high - low
    return np.where(spread > 0, (maps - low) / np.where(spread > 0, spread, 1), np.float32(0))


def weighted(maps: NDArray[np.float32], weights: NDArray[np.float64], side: int) -> Heat:
    """Add up maps (C, h, w) by ``weights`` (C,), drop what is below 0, enlarge, bring to [0, 1]."""
    cam = np.maximum(np.tensordot(weights, maps.astype(np.float64), axes=1), 0)
    low, high = float(cam.min()), float(cam.max())
    if not high > low:
        return np.zeros((side, side), np.float32)
    unit = torch.from_numpy((cam - low) / (high - low))[None, None]
    large = interpolate(unit, size=(side, side), mode="bilinear", align_corners=False)[0, 0].numpy()
    return np.asarray((large - large.min()) / np.ptp(large), np.float32)


def _answers(model: nn.Module, image: Tensor, grid: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield the logits of the image under each mask of ``grid`` (K, 1, h, w), batch by batch.

    Masks are enlarged corner to corner, as pytorch-grad-cam does, so that results compare.
    """
    for some in torch.split(grid, batch):
        large = interpolate(some, size=image.shape[-2:], mode="bilinear", align_corners=True)
        yield model(image * large.to(image.device)).float().cpu()
