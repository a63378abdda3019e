"""A drawing or a photograph with its caption."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from PIL import Image

from naturalize import images
from naturalize.page.block import figure

_JPEG_QUALITY = 85


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture on a line of its own.

    ``picture`` is a drawing from this package (:mod:`~naturalize.page.interval_plot` and its
    neighbours), an RGB array (height, width, 3) of uint8, or the bytes of an image file. Images
    are shown at most ``max_px`` pixels wide. ``alt`` says what an image shows to those who can't
    see it; the caption serves where it is empty.
    """

    picture: Markup | images.Rgb | bytes
    caption: str = ""
    alt: str = ""
    max_px: int = 720

    def html(self) -> Markup:
        """Return the figure with the picture inside the page itself."""
        if isinstance(self.picture, Markup):
            drawing = Markup("<div>{}</div>").format(self.picture)
            return figure(drawing, self.caption, kind="drawing")
        alt = self.alt or self.caption or "image"
        return figure(image(self.picture, alt, max_px=self.max_px), self.caption, kind="photo")


def image(picture: images.Rgb | bytes, alt: str, *, max_px: int) -> Markup:
    """Return an image element that holds ``picture`` as a JPEG in base64.

    It is displayed with its longer side at most ``max_px`` long and stored with up to twice as
    many pixels, for sharp screens and print. Bytes that are no image raise
    :class:`~naturalize.errors.ImageError`.
    """
    rgb = images.decode(picture, name=alt) if isinstance(picture, bytes) else picture
    rgb = _shrunk(rgb, 2 * max_px)
    text = base64.b64encode(images.encode_jpeg(rgb, quality=_JPEG_QUALITY)).decode()
    height, width = _shrunk_size(rgb, max_px)
    return Markup('<img src="data:image/jpeg;base64,{}" alt="{}" width="{}" height="{}">').format(
        text, alt, width, height
    )


def _shrunk(rgb: images.Rgb, side_px: int) -> images.Rgb:
    """Bring the longer side down to ``side_px`` if it is above that."""
    height, width = _shrunk_size(rgb, side_px)
    if (height, width) == rgb.shape[:2]:
        return rgb
    small = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)


def _shrunk_size(rgb: images.Rgb, side_px: int) -> tuple[int, int]:
    scale = min(1.0, side_px / max(rgb.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return height, width
