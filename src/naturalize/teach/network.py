"""The network that sees cells: a small U-Net, what it is marked by, and its ONNX file."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.nn import functional

from naturalize.segment.cell_net import COARSE, N_RAYS, SEEN
from naturalize.teach.vary import UNKNOWN

WIDTHS = (32, 48, 64, 96)
_SHARES = len(SEEN) * COARSE**2
_WEIGHTS = (1.0, 1.0, 1.5, 2.5)
"""What a pixel of slide, red cell, nucleated cell and platelet counts."""
_BETA = 0.05
_OFFSETS_COUNT, _RAYS_COUNT = 2.0, 4.0
_OPSET = 13


class CellNetwork(nn.Module):
    """A U-Net (Ronneberger et al. 2015) of four levels: (n, 12, h, w) to (n, 50, h, w).

    ``h`` and ``w`` are multiples of 8. The answer holds 4 x 4 logits of the pixels of a place, the
    offset to its cell's centre and 32 rays (Schmidt et al. 2018, told from the centre).
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = (3 * COARSE**2, *WIDTHS[:-1])
        self.down = nn.ModuleList(_block(i, o) for i, o in zip(inputs, WIDTHS, strict=True))
        self.up = nn.ModuleList(_block(fine + coarse, fine) for fine, coarse in pairwise(WIDTHS))
        self.head = nn.Conv2d(WIDTHS[0], _SHARES + 2 + N_RAYS, 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Return the answer for a batch."""
        levels: list[Tensor] = []
        for block in self.down:
            levels.append(block(functional.max_pool2d(levels[-1], 2) if levels else seen))
        answer = levels.pop()
        for block, level in zip(reversed(self.up), reversed(levels), strict=True):
            larger = functional.interpolate(answer, scale_factor=2.0, mode="nearest")
            answer = block(torch.cat([larger, level], 1))
        told: Tensor = self.head(answer)
        return told


def loss_of(answer: Tensor, shown: Tensor, votes: Tensor, known: Tensor) -> Tensor:
    """Return how wrong an answer is: shares by cross entropy, votes by a smoothed distance.

    ``shown`` (n, 2h, 2w) is what each pixel shows, ``votes`` (n, 34, h, w) and ``known`` (n, h, w)
    are those of an :class:`~naturalize.teach.vary.Example`.
    """
    logits = functional.pixel_shuffle(answer[:, :_SHARES], COARSE)
    weight = torch.tensor(_WEIGHTS, device=answer.device)
    shares = functional.cross_entropy(logits, shown.long(), weight, ignore_index=UNKNOWN)
    off = functional.smooth_l1_loss(answer[:, _SHARES:], votes, beta=_BETA, reduction="none")
    counted = off * known[:, None]
    places = known.sum().clamp(min=1)
    offsets, rays = counted[:, :2].sum() / places / 2, counted[:, 2:].sum() / places / N_RAYS
    return shares + _OFFSETS_COUNT * offsets + _RAYS_COUNT * rays


def to_onnx(network: CellNetwork) -> bytes:
    """Return the network as an ONNX file that takes pictures of any size, one at a time."""
    network = network.cpu().eval()
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "cells.onnx"
        warnings.simplefilter(
            "ignore"
        )  # the older exporter leaves the network's layers as they are
        torch.onnx.export(
            network, (torch.zeros(1, 3 * COARSE**2, 64, 64),), file, dynamo=False,
            opset_version=_OPSET, input_names=["seen"], output_names=["told"],
            dynamic_axes={name: {2: "rows", 3: "columns"} for name in ("seen", "told")},
        )  # fmt: skip
        return file.read_bytes()


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for given in (inputs, outputs):
        conv = nn.Conv2d(given, outputs, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
