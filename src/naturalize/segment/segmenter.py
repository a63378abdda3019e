"""What every segmenter offers: an array in, masks out, no state in between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from naturalize.images import Rgb
from naturalize.segment.mask import Mask


class Segmenter(ABC):
    """Finds the cells of one image. Implementations are frozen dataclasses of their parameters.

    They hold no results, so that they can be sent to another process and told from one another.
    """

    @abstractmethod
    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return masks of the objects in ``rgb`` (uint8, height x width x 3).

        They are disjoint, but for red cells with ``"overlap"`` among their reasons: light passes
        both of two that lie over one another, and both may hold the pixels they share.
        An image without recognisable cells gives an empty list, never an error.
        """

    def segment_all(self, images: Sequence[Rgb]) -> list[list[Mask]]:
        """Return :meth:`segment` of each image; overridden where several at once are faster."""
        return [self.segment(rgb) for rgb in images]

    def parameters(self) -> dict[str, object]:
        """Return all that decides the masks besides the image, as values JSON can hold."""
        return asdict(cast(Any, self))
