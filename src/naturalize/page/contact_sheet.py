"""Many small images at a glance, each with its own caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from naturalize import images
from naturalize.page.block import figure, join
from naturalize.page.figure import image

TileTone = Literal["plain", "good", "warning", "bad"]
_MARKS: dict[TileTone, str] = {
    "plain": "",
    "good": "✓\N{NO-BREAK SPACE}",
    "warning": "!\N{NO-BREAK SPACE}",
    "bad": "✗\N{NO-BREAK SPACE}",
}


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a sheet: an RGB array or the bytes of an image file.

    ``tone`` colours its rim and puts a mark before the caption, so that colour is not needed.
    """

    picture: images.Rgb | bytes
    caption: str = ""
    tone: TileTone = "plain"


@dataclass(frozen=True, eq=False)
class ContactSheet:
    """Tiles side by side, as many in a row as the page holds; ``tile_px`` is their longer side."""

    tiles: Sequence[Tile]
    caption: str = ""
    tile_px: int = 120

    def html(self) -> Markup:
        """Return the sheet with all images inside the page itself."""
        tiles = join(self._tile(tile) for tile in self.tiles)
        sheet = Markup('<ul class="sheet" style="--tile: {}px">\n{}\n</ul>')
        return figure(sheet.format(self.tile_px, tiles), self.caption, kind="contact-sheet")

    def _tile(self, tile: Tile) -> Markup:
        picture = image(tile.picture, tile.caption or "image", max_px=self.tile_px)
        words = f"{_MARKS[tile.tone]}{tile.caption}"
        return Markup('<li class="{}">{}<span>{}</span></li>').format(tile.tone, picture, words)
