"""One number that makes a network as sure as it is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from naturalize.classify.odds import odds

_RANGE = (0.05, 20.0)


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[np.intp]) -> float:
    """Return what to divide ``logits`` (N, C) by so that the true classes ``truth`` are likeliest.

    Temperature scaling (Guo et al. 2017): the most probable class stays what it is.
    """

    def loss(log_temperature: float) -> float:
        shares = odds(logits, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-12)).mean())

    bounds = (float(np.log(_RANGE[0])), float(np.log(_RANGE[1])))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
