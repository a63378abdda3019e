"""The bare slide of one train image: its surface and its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.triage import Refusal
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface

TILE_PX = 24
MAX_TILES = 6
MIN_BACKGROUND = 0.03
_BLOCK_PX = 8
_ZERO = np.uint8(128)


@dataclass(frozen=True, eq=False)
class Plate:
    """What the slide of ``sample_id`` looks like without cells.

    ``tiles`` is uint8 (n, 24, 24, 3): squares of bare slide minus the surface, plus 128, so real
    noise with its grain and its strength in each channel (none where the channel clips).
    """

    sample_id: str
    surface: PlateSurface
    height_px: int
    width_px: int
    tiles: NDArray[np.uint8]

    def mean(self) -> NDArray[np.float64]:
        """Return the colour of the plate at its centre, float64 (3,)."""
        return self.surface.coefficients[:, 0]

    def noise(
        self, height_px: int, width_px: int, *, rng: np.random.Generator, box: Box | None = None
    ) -> NDArray[np.int8]:
        """Return int8 (height, width, 3) of noise laid out from the tiles, each turned at random.

        Whole numbers from integer draws: the same on every machine. Without a tile there is none.
        Of a ``box`` on that canvas only its part is laid out.
        """
        part = Box(0, 0, height_px, width_px) if box is None else box
        if not len(self.tiles):
            return np.zeros((part.height, part.width, 3), dtype=np.int8)
        rows, columns = -(-height_px // TILE_PX), -(-width_px // TILE_PX)
        drawn = rng.integers(0, [len(self.tiles), 4, 2], size=(rows * columns, 3))
        top, left = part.top // TILE_PX, part.left // TILE_PX
        touched = np.s_[top : -(-part.bottom // TILE_PX), left : -(-part.right // TILE_PX)]
        planes = self._laid(drawn.reshape(rows, columns, 3)[touched])
        first_row, first_column = part.top - top * TILE_PX, part.left - left * TILE_PX
        rest = np.s_[first_row : first_row + part.height, first_column : first_column + part.width]
        return planes.transpose(1, 2, 0)[rest]

    def _laid(self, drawn: NDArray[np.int64]) -> NDArray[np.int8]:
        """Lay tiles side by side, int8 (3, rows * 24, columns * 24).

        ``drawn`` (rows, columns, 3) tells which tile, its quarter turns and its flip. A line of a
        tile is copied at once.
        """
        rows, columns = drawn.shape[:2]
        lines = self._posed().reshape(-1, TILE_PX).view(f"V{TILE_PX}")[:, 0]
        tile, turns, flip = drawn.transpose(2, 0, 1)
        first = ((turns * 2 + flip) * len(self.tiles) + tile) * 3 * TILE_PX
        within = np.arange(3 * TILE_PX).reshape(3, 1, TILE_PX, 1)
        laid = lines.take(first[:, None] + within)
        return np.asarray(laid.view(np.int8).reshape(3, rows * TILE_PX, columns * TILE_PX))

    def _posed(self) -> NDArray[np.int8]:
        """Return the residuals in every pose, int8 (4 quarter turns, 2 flips, n, 3, 24, 24)."""
        residual = (self.tiles ^ _ZERO).view(np.int8).transpose(0, 3, 1, 2)
        posed = np.empty((4, 2, *residual.shape), dtype=np.int8)
        for turns in range(4):
            posed[turns, 0] = np.rot90(residual, turns, axes=(2, 3))
        posed[:, 1] = posed[:, 0, ..., ::-1]
        return posed


def take_plate(
    sample_id: str, rgb: Rgb, background: NDArray[np.bool_], surface: PlateSurface
) -> Plate | Refusal:
    """Return the plate of an image, or why it shows too little of its slide.

    ``background`` is bool (H, W): pixels of bare slide, objects and their rims left out.
    """
    share = float(background.mean())
    if share < MIN_BACKGROUND:
        detail = f"{share:.1%} of the image, {MIN_BACKGROUND:.0%} is needed"
        return Refusal("too little bare slide", detail)
    corners = _free_squares(background)
    if not corners:
        return Refusal("too little bare slide", f"no square of {TILE_PX} px")
    height_px, width_px = rgb.shape[:2]
    residual = rgb - np.rint(surface.evaluate(height_px, width_px))
    squares = [residual[r : r + TILE_PX, c : c + TILE_PX] for r, c in corners]
    tiles = np.stack([square - np.rint(square.mean(axis=(0, 1))) for square in squares])
    coded = np.clip(tiles + _ZERO, 0, 255).astype(np.uint8)
    return Plate(sample_id, surface, height_px, width_px, coded)


def _free_squares(background: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return corners (row, column) of disjoint squares that are bare slide, the emptiest first.

    They lie on the blocks of the image's own JPEG, so that tiles laid out side by side show no
    blocks but those of one grid.
    """
    filled = np.zeros((background.shape[0] + 1, background.shape[1] + 1), dtype=np.int64)
    filled[1:, 1:] = background.cumsum(axis=0).cumsum(axis=1)
    k, n = TILE_PX, TILE_PX // _BLOCK_PX
    if min(background.shape) < k:
        return []
    inside = filled[k:, k:] - filled[:-k, k:] - filled[k:, :-k] + filled[:-k, :-k]
    inside = inside[::_BLOCK_PX, ::_BLOCK_PX].copy()
    corners: list[tuple[int, int]] = []
    while len(corners) < MAX_TILES:
        row, column = divmod(int(inside.argmax()), inside.shape[1])
        if inside[row, column] < 0.97 * k * k:
            break
        corners.append((row * _BLOCK_PX, column * _BLOCK_PX))
        inside[max(0, row - n + 1) : row + n, max(0, column - n + 1) : column + n] = 0
    return corners
