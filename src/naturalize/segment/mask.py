"""One segmented object of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from naturalize.geometry import Box

Kind = Literal["WBC", "RBC", "PLT", "OBJ"]
"""``WBC``: any nucleated cell, erythroblasts included; ``RBC``: none; ``PLT``: platelet.

``OBJ``: an object of a picture that shows no blood.
"""

KINDS: tuple[Kind, ...] = ("WBC", "RBC", "PLT")
"""What segmenters tell apart on a blood smear."""


@dataclass(frozen=True, eq=False)
class Mask:
    """One object: what it is, where it is, which pixels are its own.

    ``pixels`` and ``nucleus`` are bool arrays of the box's shape (row, column); ``score`` in [0, 1]
    says how sure the segmenter is; ``reasons`` names what a person should know about the mask
    (``"touching"``: cut from a clump; ``"overlap"``; ``"two nuclei"``; ...).

    >>> m = Mask("RBC", Box(1, 0, 1, 2), np.array([[True, False]]), None, 0.9, True)
    >>> m.to_image((2, 3)).astype(int).tolist()
    [[0, 0, 0], [1, 0, 0]]
    """

    kind: Kind
    box: Box
    pixels: NDArray[np.bool_]
    nucleus: NDArray[np.bool_] | None
    score: float
    touches_border: bool
    reasons: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, array in (("pixels", self.pixels), ("nucleus", self.nucleus)):
            if array is None:
                continue
            if array.dtype != np.bool_ or array.shape != (self.box.height, self.box.width):
                raise ValueError(f"{name}: expected bool of {self.box}, got {array.shape}")
            array.flags.writeable = False

    @property
    def area_px(self) -> int:
        """Number of pixels of the object."""
        return int(np.count_nonzero(self.pixels))

    def to_image(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the mask on a whole image of ``shape`` (height, width[, channels])."""
        whole = np.zeros(shape[:2], dtype=np.bool_)
        whole[self.box.slices] = self.pixels
        return whole
