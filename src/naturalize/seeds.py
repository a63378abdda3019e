"""Named child generators from one root seed.

A child depends on its names only, never on the order in which children are drawn, so stages and
images can be made in any order, by any number of workers.
"""

from __future__ import annotations

import hashlib

import numpy as np


def child(root_seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator called ``names`` below ``root_seed``.

    >>> bool(child(0, "split").random() == child(0, "split").random())
    True
    """
    return np.random.Generator(np.random.PCG64(child_seed(root_seed, *names)))


def child_seed(root_seed: int, *names: str | int) -> int:
    """Return a whole number below 2**63 for libraries that take a seed, not a generator."""
    text = "/".join([str(root_seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
