"""The small network of the paper, trained from scratch."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128)
HIDDEN = 128


class CustomCNN(nn.Module):
    """Four convolutions and two dense layers (Naturalize 2023, Figure 9).

    Each convolution is 3x3 with zero padding, a ReLU and a 2x2 max pool; the map is flattened, then
    comes a dense layer of 128 units with ReLU and one of ``n_classes`` units without. Takes float
    images (N, 3, ``input_px``, ``input_px``), gives logits (N, ``n_classes``). ``input_px`` is at
    least 16; ``drop_rate`` is the dropout before the last layer (the paper: none).

    >>> sum(p.numel() for p in CustomCNN(n_classes=11).parameters())
    3310251
    """

    def __init__(self, n_classes: int = 11, *, input_px: int = 224, drop_rate: float = 0.0) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
            blocks += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)
        flat = WIDTHS[-1] * (input_px // 2 ** len(WIDTHS)) ** 2
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(flat, HIDDEN), nn.ReLU())
        self.dropout = nn.Dropout(drop_rate)
        self.classifier: nn.Module = nn.Linear(HIDDEN, n_classes)
        self.num_features = WIDTHS[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of float images (N, 3, S, S)."""
        logits: Tensor = self.classifier(self.dropout(self.dense(self.features(images))))
        return logits

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the last maps (N, 128, S / 16, S / 16)."""
        maps: Tensor = self.features(images)
        return maps

    def reset_classifier(self, num_classes: int) -> None:
        """Take the dense layers away, as timm's models do for 0 classes; leave the maps."""
        assert num_classes == 0
        self.dense, self.classifier = nn.Sequential(), nn.Identity()

    def get_classifier(self) -> nn.Module:
        """Return the last layer, by the name that timm's models use."""
        return self.classifier

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """Return patterns that tell layers apart by depth, as timm's models do."""
        return {
            "stem": r"^features\.0",
            "blocks": [(r"^features\.(\d+)", None), (r"^dense", (99,))],
        }
