"""The only place that decodes or encodes an image.

Images are ``uint8`` arrays of shape (height, width, 3), red-green-blue. What a file holds is told
from its first bytes, never from its name; formats other than those of :data:`FORMATS` are not even
tried. Each odd case is decided here, once:

====================  =============================================================================
grey, 1 bit, palette  three channels with the same values, or the palette's colours
16 bits a channel     the high byte of each value, as PNG readers do; grey and colour alike
32 bits, float        refused: no scale says what is white
CMYK, YCbCr           converted by the plain formula, without a profile
transparency          laid over white, as on a microscope's empty field
EXIF rotation         applied; a damaged EXIF block counts as none
ICC profile           ignored: the values are kept as they were stored
several pages         refused, animations too; of a JPEG with previews (MPO) the first picture is it
over ``MAX_PIXELS``   refused from the header, before a pixel is decoded
cut off, damaged      refused: every pixel or none
====================  =============================================================================
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from naturalize.errors import ImageError, NotAnImageError

Rgb = NDArray[np.uint8]
Chroma = Literal["4:4:4", "4:2:0"]

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 64_000_000
_ORIENTATION_TAG = 0x0112
_SAMPLING: dict[Chroma, int] = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
_JFIF = b"\xff\xd8\xff\xe0"
_EXIF, _ADOBE = 0xE1, 0xEE
_FRAMES = (0xC0, 0xC1, 0xC2)
"""Markers of JPEG frames as all programs write them: baseline, extended, progressive."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = (5, 6, 7, 8)


def decode(data: bytes, *, name: str = "image", proven: bool = False) -> Rgb:
    """Decode a whole image file to RGB, upright by its EXIF orientation.

    ``proven`` bytes have been decoded before, or just encoded: a plain JPEG among them is left to
    OpenCV, which takes half the time and gives the same pixels, but those of a damaged file too.
    Raises :class:`ImageError` naming ``name`` for what the table above refuses, and its subclass
    :class:`NotAnImageError` when the bytes are of no known image format.
    """
    if proven and _is_plain_jpeg(data):
        return _decode_jpeg(data)
    with _opened(data, name) as image:
        _refuse_pages(image, name)
        turn = _UPRIGHT.get(_orientation(image))
        if proven and (image.format, image.mode, turn) == ("JPEG", "RGB", None):
            return _decode_jpeg(data)
        upright = image.transpose(turn) if turn is not None else image
        return _rgb(upright, name)


def size(data: bytes, *, name: str = "image") -> tuple[int, int]:
    """Return (height, width) in pixels from the header alone, upright; errors as :func:`decode`."""
    with _opened(data, name) as image:
        turned = _orientation(image) in _TURNED
        return (image.width, image.height) if turned else (image.height, image.width)


def read(path: Path) -> Rgb:
    """Decode the image file at ``path``; see :func:`decode`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(str(path), "a readable file", error.strerror or error) from error
    return decode(data, name=str(path))


def encode_jpeg(rgb: Rgb, *, quality: int = 75, chroma: Chroma = "4:4:4") -> bytes:
    """Encode as a baseline JPEG; the defaults are those of PBC's main source.

    OpenCV writes the bytes that Pillow would, in four fifths of the time.
    """
    how = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[chroma]]
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), how)[1].tobytes()


def encode_png(array: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode losslessly: (H, W) grey or labels, (H, W, 3) RGB, (H, W, 4) RGBA."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def decode_labels(data: bytes, *, name: str = "label image") -> NDArray[np.int32]:
    """Decode a one-channel label image (PNG or TIFF, 8 or 16 bit) without touching its values."""
    with _opened(data, name) as image:
        _refuse_pages(image, name)
        labels = np.asarray(image)
    if labels.ndim != 2:
        raise ImageError(name, "one channel", f"shape {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) and labels.dtype != np.bool_:
        raise ImageError(name, "whole numbers", str(labels.dtype))
    return labels.astype(np.int32)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open an image of a sane size; whatever its decoder raises becomes an :class:`ImageError`.

    Every exception is caught: on damaged bytes the parsers raise IndexError, struct.error,
    OverflowError and more, and all of them mean the same.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(name, f"{image.height:,} x {image.width:,}")
                yield image
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise NotAnImageError(name, "an image file", "something else") from error
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far more") from error
    except Exception as error:
        why = str(error) or type(error).__name__
        raise ImageError(name, "a whole image file", f"a damaged one ({why})") from error


def _is_plain_jpeg(data: bytes) -> bool:
    """Whether markers alone tell a JPEG of three JFIF channels, shown as it is stored."""
    place = 2 if data.startswith(_JFIF) else len(data)
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in _FRAMES:
            return data[place + 9] == 3
        if marker in (_EXIF, _ADOBE):
            return False
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _decode_jpeg(data: bytes) -> Rgb:
    coded = np.frombuffer(data, np.uint8)
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), dtype=np.uint8)


def _too_large(name: str, got: str) -> ImageError:
    return ImageError(name, f"at most {MAX_PIXELS:,} pixels", got)


def _refuse_pages(image: Image.Image, name: str) -> None:
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ImageError(name, "a single picture", "several pages or frames")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) where there is none to be read."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a damaged block of remarks is no reason to lose the picture
        return 1


def _rgb(image: Image.Image, name: str) -> Rgb:
    """Return the pixels of one decoded picture as RGB."""
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(high[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise ImageError(name, "8 or 16 bits a channel", "32 bits or floating point")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), dtype=np.uint8)
