"""Medians and percentiles are NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.quantiles import median, percentiles


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 20, 99, 1000, 1001])
def test_they_are_numpys(n: int, dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(n)
    ties: NDArray[np.floating] = rng.normal(scale=3, size=(3, n)).round().astype(dtype)
    for values in (ties, (ties + rng.normal(size=(3, n))).astype(dtype)):
        middle = median(values)
        assert middle.dtype == dtype
        np.testing.assert_array_equal(middle, np.median(values, axis=-1))
        wanted = [0, 0.5, 1, 30, 75, 90, 99.5, 100]
        found = percentiles(values, *wanted)
        np.testing.assert_allclose(found, np.percentile(values, wanted, axis=-1), rtol=1e-6)
