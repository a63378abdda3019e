"""Two networks under one head: their maps merged, weighed by channel and by place (CBAM).

As in Abou Ali et al. 2023 (eqs. 1 and 2), after Woo et al., CBAM, ECCV 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

Merge = Literal["concat", "average"]
Spatial = Literal["cbam", "paper"]
REDUCTION = 16
HIDDEN = 256
DROP_RATE = 0.2


def _mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class ChannelAttention(nn.Module):
    """Eq. 1: each channel times sigma(MLP(AvgPool(x)) + MLP(MaxPool(x))), one MLP for both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = _mlp(width, max(width // REDUCTION, 1), width)

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh maps (N, C, H, W)."""
        weight: Tensor = self.mlp(maps.mean(dim=(2, 3))) + self.mlp(maps.amax(dim=(2, 3)))
        return maps * weight.sigmoid()[:, :, None, None]


class ConvSpatialAttention(nn.Module):
    """Each place times sigma of a 7 x 7 convolution of the channels' mean and maximum (CBAM)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh maps (N, C, H, W)."""
        both = torch.cat([maps.mean(dim=1, keepdim=True), maps.amax(dim=1, keepdim=True)], dim=1)
        weight: Tensor = self.conv(both)
        return maps * weight.sigmoid()


class PaperSpatialAttention(nn.Module):
    """Eq. 2 as printed: each place times sigma(MLP([x_ij; AvgPool(x); MaxPool(x)]))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = _mlp(3 * width, max(width // REDUCTION, 1), 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Weigh maps (N, C, H, W)."""
        places = maps.permute(0, 2, 3, 1)
        pooled = torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
        around = pooled[:, None, None, :].expand(-1, *places.shape[1:3], -1)
        weight: Tensor = self.mlp(torch.cat([places, around], dim=3))
        return maps * weight.sigmoid().permute(0, 3, 1, 2)


SPATIAL: dict[Spatial, type[ConvSpatialAttention] | type[PaperSpatialAttention]] = {
    "cbam": ConvSpatialAttention,
    "paper": PaperSpatialAttention,
}


class Cbam(nn.Module):
    """A head over the last maps of ``branches``.

    Maps are brought to the grid of the first, then put one behind the other (``concat``) or
    averaged (``average``, projected to the narrowest where their widths differ); channel attention,
    spatial attention, the mean over the grid, and an MLP follow. Takes images normalised with mean
    and std .5; ``norms`` holds the (mean, std) that each branch wants.
    """

    def __init__(
        self,
        branches: Sequence[nn.Module],
        norms: Sequence[tuple[Sequence[float], Sequence[float]]],
        *,
        n_classes: int,
        merge: Merge = "concat",
        spatial: Spatial = "cbam",
    ) -> None:
        super().__init__()
        widths = [_headless(branch) for branch in branches]
        self.branches = nn.ModuleList(branches)
        for index, (mean, std) in enumerate(norms):
            shift = torch.tensor([[0.5 - m for m in mean], [0.5 for _ in std]])
            self.register_buffer(f"norm{index}", shift / torch.tensor(list(std)), persistent=False)
        narrow = min(widths)
        alike = merge == "concat" or len(set(widths)) == 1
        self.project = nn.ModuleList(
            nn.Identity() if alike else nn.Conv2d(width, narrow, 1) for width in widths
        )
        self.merge = merge
        width = sum(widths) if merge == "concat" else narrow
        self.channel = ChannelAttention(width)
        self.spatial = SPATIAL[spatial](width)
        self.head = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(DROP_RATE), nn.Linear(HIDDEN, n_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, 3, S, S)."""
        maps = self.spatial(self.channel(self.merged(images)))
        logits: Tensor = self.head(maps.mean(dim=(2, 3)))
        return logits

    def merged(self, images: Tensor) -> Tensor:
        """Return the maps of all branches on one grid, merged."""
        maps: list[Tensor] = []
        for index, branch in enumerate(self.branches):
            shift, scale = getattr(self, f"norm{index}")[:, :, None, None]
            found = last_maps(branch, images * scale + shift)
            if maps and found.shape[-2:] != maps[0].shape[-2:]:
                found = adaptive_avg_pool2d(found, (maps[0].shape[-2], maps[0].shape[-1]))
            maps.append(self.project[index](found))
        return torch.cat(maps, dim=1) if self.merge == "concat" else torch.stack(maps).mean(dim=0)

    def head_parts(self) -> list[nn.Module]:
        """Return everything but the branches."""
        return [self.project, self.channel, self.spatial, self.head]

    def get_classifier(self) -> nn.Module:
        """Return the last layer, by the name that timm's models use."""
        return self.head[-1]


def last_maps(branch: nn.Module, images: Tensor) -> Tensor:
    """Return the last maps of a branch, (N, C, H, W); a transformer's tokens on their grid."""
    found: Tensor = branch.forward_features(images)  # type: ignore[operator]
    if found.ndim == 4:
        return found
    tokens: Tensor = found[:, branch.num_prefix_tokens :]
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)


def _headless(branch: nn.Module) -> int:
    """Take a network's last layer away and return the number of channels of its last maps."""
    branch.reset_classifier(0)  # type: ignore[operator]
    width = branch.num_features
    assert isinstance(width, int)
    return width
