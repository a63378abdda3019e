"""Where cells end, which way is into them, and the points those directions meet in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Edges:
    """Points of edges with the direction into the denser side.

    ``points`` (n, 2) are rows and columns in px, ``inward`` (n, 2) unit vectors, ``weight`` (n,)
    how much a point counts; all float32.
    """

    points: NDArray[np.float32]
    inward: NDArray[np.float32]
    weight: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.weight)


def outline_edges(share: NDArray[np.float32], free: NDArray[np.bool_], sigma_px: float) -> Edges:
    """Return the outline of a mask where it is ``free``, not at the image's border.

    ``share``, float32 (height, width), is the share of each pixel that the mask covers. The
    outline is where it passes one half once smoothed by ``sigma_px``; each point weighs 1.
    """
    pixels = (share > 0.5).view(np.uint8)
    edge = (pixels > cv2.erode(pixels, np.ones((3, 3), np.uint8), borderValue=1)) & free
    edge[:2], edge[-2:], edge[:, :2], edge[:, -2:] = False, False, False, False
    smooth = _smoothed(share, sigma_px)
    edges, slope = _edges(edge, *_slopes(smooth))
    rows, columns = edges.points.astype(np.int64).T
    off = np.clip((smooth[rows, columns] - 0.5) / slope, -1, 1)
    return Edges(edges.points - off[:, None] * edges.inward, edges.inward, edges.weight)


def votes(
    edges: Edges, radius_px: float, origin: float, shape: tuple[int, int], scale: float, blur: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the share of a circle of ``radius_px`` whose edge points towards each place.

    Each edge votes for the point that lies one radius inward of it (Loy and Zelinsky, "Fast radial
    symmetry for detecting points of interest", PAMI 25, 2003). The map has ``shape`` pixels of
    ``scale`` px and starts ``origin`` px before the image's; votes within ``blur`` radii of each
    other count as one. The second answer tells where on the map, flattened, each edge votes.
    """
    aim = (edges.points + edges.inward * np.float32(radius_px) + np.float32(origin)) / scale
    cells = aim.astype(np.int64)
    flat = cells[:, 0] * shape[1] + cells[:, 1]
    total = np.bincount(flat, weights=edges.weight, minlength=shape[0] * shape[1])
    sigma = blur * radius_px / scale
    smooth = _smoothed(total.reshape(shape).astype(np.float32), sigma)
    return smooth * np.float32(sigma * sigma / radius_px), flat


def _smoothed(values: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma_px), dtype=np.float32)


def _slopes(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the derivatives down and to the right."""
    down = cv2.Sobel(values, cv2.CV_32F, 0, 1, scale=1 / 8)
    right = cv2.Sobel(values, cv2.CV_32F, 1, 0, scale=1 / 8)
    return np.asarray(down, dtype=np.float32), np.asarray(right, dtype=np.float32)


def _edges(
    where: NDArray[np.bool_], down: NDArray[np.float32], right: NDArray[np.float32]
) -> tuple[Edges, NDArray[np.float32]]:
    """Return the pixels ``where`` as edges of weight 1, and how steep the slope is there."""
    rows, columns = np.unravel_index(np.flatnonzero(where), where.shape)
    points = np.stack([rows, columns], axis=1).astype(np.float32)
    inward = np.stack([down[rows, columns], right[rows, columns]], axis=1)
    slope = np.asarray(np.hypot(inward[:, 0], inward[:, 1]), dtype=np.float32)
    steep = slope > 1e-6
    inward, slope = inward[steep] / slope[steep, None], slope[steep]
    return Edges(points[steep], inward, np.ones(len(slope), np.float32)), slope
