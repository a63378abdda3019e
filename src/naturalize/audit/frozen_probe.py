"""A probe that sees a whole image as an ImageNet network does: layout, colour, shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from naturalize.images import Rgb
from naturalize.train.backbones import BACKBONES, build
from naturalize.train.pixels import fit_square, normalise

MODEL = "efficientnet-lite0"
INPUT_PX = 224
BATCH = 16
RIDGE = 0.1
"""Weight of the squared coefficients beside the mean log loss, features scaled to unit spread."""

Features = NDArray[np.float64]


class FrozenProbe:
    """Frozen ``efficientnet-lite0`` features of the centred square, and logistic regression."""

    name = "frozen"
    limit = 0.60

    def look(self, pictures: Sequence[Rgb]) -> Features:
        """Return the features of each picture, float64 (N, 1280)."""
        model = build(MODEL, n_classes=2).eval()
        row = BACKBONES[MODEL]
        squares = [fit_square(rgb, input_px=INPUT_PX, crop_px=None) for rgb in pictures]
        pixels = torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2))
        found = []
        with torch.inference_mode():
            for batch in torch.split(pixels, BATCH):
                maps = model.forward_features(normalise(batch, row.mean, row.std))  # type: ignore[operator]
                found.append(model.forward_head(maps, pre_logits=True))  # type: ignore[operator]
        return np.asarray(torch.cat(found).numpy(), dtype=np.float64)

    def scores(
        self, real: Features, made: Features, seen: Sequence[Features], *, seed: int
    ) -> list[NDArray[np.float64]]:
        """Learn from ``real`` and ``made``; return how made each of ``seen`` looks."""
        learn = np.concatenate([real, made])
        truth = np.repeat([0.0, 1.0], [len(real), len(made)])
        mean, spread = learn.mean(axis=0), learn.std(axis=0) + 1e-6
        weights = fit_logistic((learn - mean) / spread, truth)
        return [(features - mean) / spread @ weights[1:] + weights[0] for features in seen]


def fit_logistic(features: Features, truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intercept and coefficients, float64 (1 + K,), of ridge logistic regression."""
    sign = 1 - 2 * truth

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (features @ weights[1:] + weights[0])
        share = sign / (1 + np.exp(-margin)) / len(truth)
        slope = np.concatenate([[share.sum()], features.T @ share + RIDGE * weights[1:]])
        value = np.logaddexp(0, margin).mean() + RIDGE / 2 * (weights[1:] ** 2).sum()
        return float(value), slope

    start = np.zeros(1 + features.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x, dtype=np.float64)
