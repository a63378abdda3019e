"""A trained network that can be asked about one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from naturalize.artefact import Artefact
from naturalize.explain.maps import cam_layer
from naturalize.explain.score_cam import CamSettings, Heat, score_cam
from naturalize.images import Rgb
from naturalize.train.pixels import fit_square, normalise
from naturalize.train.predict import predict
from naturalize.train.trained_model import ModelInfo, build_network, load_model

_BATCH = 8
_UNTRAINED_SEED = 0


@dataclass(frozen=True, eq=False)
class Member:
    """One network, alone or of an ensemble; ``name`` is that of its run's folder.

    ``untrained`` is the same network with weights drawn at random.
    """

    name: str
    network: nn.Module
    untrained: nn.Module
    info: ModelInfo

    @classmethod
    def load(cls, run: Artefact) -> Member:
        """Read the network of a ``run``."""
        network, info = load_model(run)
        untrained = build_network(info, weights="random", seed=_UNTRAINED_SEED)
        return cls(run.path.name, network, untrained, info)

    @property
    def blank(self) -> Rgb:
        """The colour that is 0 to the network, uint8 (3,): the mean it was trained around."""
        return np.rint(np.multiply(self.info.mean, 255)).astype(np.uint8)

    def square(self, rgb: Rgb) -> Rgb:
        """Return what the network sees of an image, uint8 (S, S, 3)."""
        return fit_square(rgb, input_px=self.info.input_px, crop_px=self.info.crop_px)

    def answer(self, square: Rgb) -> NDArray[np.float32]:
        """Return what the run says, float32 (classes,), in all orientations it is asked in."""
        (found,) = self._asked([square], self.info.views)
        return np.asarray(found)

    def probabilities(self, squares: Sequence[Rgb]) -> NDArray[np.float32]:
        """Return the probability of each class, float32 (N, classes), of squares as they lie."""
        return self._asked(squares, 1)

    def _asked(self, squares: Sequence[Rgb], views: int) -> NDArray[np.float32]:
        pixels = torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2))
        mean, std = self.info.mean, self.info.std
        return predict(self.network, pixels, mean=mean, std=std, views=views, batch_size=_BATCH)

    def heat(
        self, square: Rgb, target: int, settings: CamSettings, *, trained: bool = True
    ) -> Heat:
        """Return where class number ``target`` lies in what the network sees, float32 (S, S)."""
        pixels = torch.from_numpy(square.transpose(2, 0, 1)[None].copy())
        image = normalise(pixels, self.info.mean, self.info.std)
        network, layer = self.network if trained else self.untrained, cam_layer(self.info)
        return score_cam(network, image, layer=layer, target=target, settings=settings)
