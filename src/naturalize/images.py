"""The only place that decodes or encodes an image.

Images are ``uint8`` arrays of shape (height, width, 3), red-green-blue.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from naturalize.errors import ImageError, NotAnImageError

Rgb = NDArray[np.uint8]
Chroma = Literal["4:4:4", "4:2:0"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 64_000_000


def decode(data: bytes, *, name: str = "image") -> Rgb:
    """Decode a whole image file to RGB, upright by its EXIF orientation.

    Raises :class:`ImageError` naming ``name`` when the bytes are a truncated image or one of more
    than ``MAX_PIXELS`` pixels, and its subclass :class:`NotAnImageError` when they are none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ImageError(name, f"at most {MAX_PIXELS:,} pixels", f"{image.size}")
                upright = ImageOps.exif_transpose(image)
                return np.asarray(upright.convert("RGB"), dtype=np.uint8)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise NotAnImageError(name, "an image file", "something else") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ImageError(name, "a whole image file", f"a damaged one ({error})") from error


def size(data: bytes, *, name: str = "image") -> tuple[int, int]:
    """Return (height, width) in pixels from the header alone, upright; errors as :func:`decode`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                turned = image.getexif().get(0x0112, 1) >= 5
                return (image.width, image.height) if turned else (image.height, image.width)
    except UnidentifiedImageError as error:
        raise NotAnImageError(name, "an image file", "something else") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(name, "a whole image file", f"a damaged one ({error})") from error


def read(path: Path) -> Rgb:
    """Decode the image file at ``path``; see :func:`decode`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error
    return decode(data, name=str(path))


def encode_jpeg(rgb: Rgb, *, quality: int = 75, chroma: Chroma = "4:4:4") -> bytes:
    """Encode as a baseline JPEG; the defaults are those of PBC's main source."""
    buffer = io.BytesIO()
    subsampling = 0 if chroma == "4:4:4" else 2
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def encode_png(array: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode losslessly: (H, W) grey or labels, (H, W, 3) RGB, (H, W, 4) RGBA."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def decode_labels(data: bytes, *, name: str = "label image") -> NDArray[np.int32]:
    """Decode a one-channel label image (PNG or TIFF, 8 or 16 bit) without touching its values."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            labels = np.asarray(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ImageError(name, "a label image", f"a damaged one ({error})") from error
    if labels.ndim != 2:
        raise ImageError(name, "one channel", f"shape {labels.shape}")
    return labels.astype(np.int32)
