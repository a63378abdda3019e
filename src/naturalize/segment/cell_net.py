"""What a small network sees on a smear: which pixels are of what, and where their cell's centre is.

It was taught on composites, whose every outline is known (:mod:`naturalize.teach`), and looks at
optical density alone, told in units of the image's own red cells, at 32 pixels a red cell: neither
a scanner's brightness nor its magnification reaches it. onnxruntime runs it, on one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.errors import InputError
from naturalize.segment.stain import Stain

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WORKING_DIAMETER = 32
"""Pixels a red cell is across, as the network sees it."""
SEEN = ("slide", "RBC", "WBC", "PLT")
N_RAYS = 32
COARSE = 2
"""Votes are cast by every second pixel of every second row."""
UNIT_PX = 16.0
"""The network tells lengths in such units: a red cell's radius."""
_MULTIPLE = 16
_SHIPPED = files("naturalize.segment").joinpath("weights/cells.onnx")


@dataclass(frozen=True, eq=False)
class Sight:
    """One image as the network sees it, at 32 pixels a red cell.

    ``shares`` float32 (4, height, width): how likely each pixel shows slide, red cell, nucleated
    cell or platelet. For every second pixel of every second row, ``centres`` float32 (2, h, w) is
    the row and column at which its cell has its centre of mass, and ``rays`` float32 (32, h, w) how
    far the cell reaches from there, hidden parts included, over directions from the column axis
    towards the rows; both in pixels. ``scale`` is (rows, columns) of the image to one pixel.
    """

    shares: NDArray[np.float32]
    centres: NDArray[np.float32]
    rays: NDArray[np.float32]
    scale: tuple[float, float]

    @cached_property
    def most(self) -> NDArray[np.uint8]:
        """What each pixel shows most likely, by its place in SEEN: uint8 (height, width)."""
        return most_likely(self.shares)


def look(stain: Stain, diameter_px: float, network: Path | None = None) -> Sight:
    """Return what the network sees on an image whose red cells are ``diameter_px`` across.

    ``network`` is an ONNX file written by ``teach``; None is the shipped one.
    """
    seen = density_seen(stain, diameter_px)
    height, width = seen.shape[:2]
    net, _ = _network(network)
    shares, votes = unfolded(_answer(net, folded(seen)))
    h, w = -(-height // COARSE), -(-width // COARSE)
    votes = votes[:, :h, :w] * np.float32(UNIT_PX)
    rows, columns = np.ogrid[:h, :w]
    votes[0] += COARSE * rows + 1
    votes[1] += COARSE * columns + 1
    scale = stain.density.shape[0] / height, stain.density.shape[1] / width
    return Sight(shares[:, :height, :width], votes[:2], votes[2:], scale)


def shown_by(sight: Sight, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return what each pixel of an image of ``shape`` shows most likely, by its place in SEEN."""
    size = (shape[1], shape[0])
    return most_likely(cv2.resize(one, size) for one in sight.shares)


def most_likely(shares: Iterable[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Return the place of the largest of ``shares`` at each pixel; several times argmax's speed."""
    largest, *others = shares
    place = np.zeros(largest.shape, dtype=np.uint8)
    for number, share in enumerate(others, start=1):
        # The later place is the larger one: several times the speed of a copy by a mask.
        np.maximum(place, (share > largest).view(np.uint8) * np.uint8(number), out=place)
        largest = np.maximum(largest, share)
    return place


def density_seen(stain: Stain, diameter_px: float) -> NDArray[np.float32]:
    """Return density (height, width, 3) in units of the red cells' own, at 32 px a red cell."""
    height, width = stain.density.shape[:2]
    scale = WORKING_DIAMETER / diameter_px
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(stain.density, size, interpolation=how)
    return np.asarray(seen / np.float32(stain.red_cell_density), dtype=np.float32)


def folded(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture (height, width, 3) as (12, h, w): 2 by 2 pixels a place, bare slide beyond.

    >>> folded(np.ones((3, 5, 3), np.float32)).shape
    (12, 8, 8)
    """
    height, width = (-(-side // _MULTIPLE) * _MULTIPLE for side in seen.shape[:2])
    whole = np.zeros((height, width, 3), np.float32)
    whole[: seen.shape[0], : seen.shape[1]] = seen
    blocks = whole.reshape(height // COARSE, COARSE, width // COARSE, COARSE, 3)
    planes = blocks.transpose(1, 3, 4, 0, 2).reshape(-1, height // COARSE, width // COARSE)
    return np.ascontiguousarray(planes)


def unfolded(out: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Part the network's answer (50, h, w) into shares (4, 2h, 2w) that sum to 1, and the rest."""
    n, (h, w) = len(SEEN), out.shape[1:]
    blocks = out[: n * COARSE**2].reshape(n, COARSE, COARSE, h, w)
    logits = blocks.transpose(0, 3, 1, 4, 2).reshape(n, COARSE * h, COARSE * w)
    power = np.exp(logits - logits.max(axis=0))
    power /= power.sum(axis=0)
    return power, out[n * COARSE**2 :]


def network_digest(file: Path | None) -> str:
    """Return a digest of a network's file, 16 hexadecimal digits; None is the shipped one.

    Raises :class:`InputError` for what is no network that this module can run.
    """
    return _network(file)[1]


@lru_cache(maxsize=2)
def _network(file: Path | None) -> tuple[InferenceSession, str]:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        data = _SHIPPED.read_bytes() if file is None else file.read_bytes()
        net = InferenceSession(data, options, providers=["CPUExecutionProvider"])
        answer = _answer(net, np.zeros((3 * COARSE**2, _MULTIPLE, _MULTIPLE), np.float32))
    except Exception as error:  # those of onnxruntime have no common base
        raise InputError("network", "an ONNX file written by teach", file) from error
    if answer.shape != (len(SEEN) * COARSE**2 + 2 + N_RAYS, _MULTIPLE, _MULTIPLE):
        raise InputError("network", "an ONNX file written by teach", f"{file}: {answer.shape}")
    return net, hashlib.sha256(data).hexdigest()[:16]


def _answer(net: InferenceSession, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network tells of a folded picture."""
    (told,) = net.run(["told"], {"seen": seen[None]})
    return np.asarray(told[0], np.float32)
