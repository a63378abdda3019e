"""Small JPEG files and folders of them for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from naturalize import images


def jpeg(value: int, *, side: int = 40) -> bytes:
    """Return a JPEG whose content depends on ``value``."""
    noise = np.random.Generator(np.random.PCG64(value)).integers(0, 255, (side, side, 3))
    return images.encode_jpeg(noise.astype(np.uint8))


def write_tree(root: Path, files: dict[str, bytes]) -> Path:
    """Write files below ``root`` and return it."""
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root
