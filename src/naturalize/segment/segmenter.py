"""What every segmenter offers: an array in, masks out, no state in between."""

from __future__ import annotations

from abc import ABC, abstractmethod

from naturalize.images import Rgb
from naturalize.segment.mask import Mask


class Segmenter(ABC):
    """Finds the cells of one image. Instances hold parameters only, never results."""

    @abstractmethod
    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return disjoint masks of the objects in ``rgb`` (uint8, height x width x 3).

        An image without recognisable cells gives an empty list, never an error.
        """
