"""Label images from elsewhere: numbered objects without kinds, made into masks.

Cellpose, QuPath and a grid of prompts say where objects are, not what they are. On a blood smear
the stain tells: a nucleated cell holds a nucleus, a platelet is small and purple, a red cell is
neither. In other pictures an object is an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment.cell_net import look, shown_by
from naturalize.segment.mask import Kind, Mask
from naturalize.segment.nucleus import find_nuclei, nuclear_pixels
from naturalize.segment.platelets import find_platelets
from naturalize.segment.red_cell_size import LEAST_DIAMETER_PX, red_cell_diameter
from naturalize.segment.regions import largest_piece
from naturalize.segment.stain import Stain, measure_stain

TOUCHING = "touching"
TWO_NUCLEI = "two nuclei"
_PLATELET_SHARE = 0.3
_PLATELET_AREAS = 2.0
_MAX_PIXELS = 1_500_000
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


def typed_masks(labels: NDArray[np.int32], rgb: Rgb) -> list[Mask]:
    """Return one mask a label, in the order of the labels; 0 is no object.

    ``labels`` is int32 (height, width) of the image ``rgb``, uint8 (height, width, 3). A label's
    largest piece is its mask, so masks are disjoint and in one piece. It is a WBC if most of a
    nucleus lies in it; a PLT if a platelet's purple fills much of it and it is smaller than two red
    cells; else an RBC. Nuclei are found by stain in the whole image. ``score`` is 1: whoever drew
    the labels is believed. ``reasons`` names ``"touching"`` where another object is the neighbour
    of a pixel, and ``"two nuclei"``.

    Kinds cannot be told where no stain can be measured (no plain light slide in sight, or nothing
    on it): then the list is empty. Raises :class:`InputError` for arrays that do not fit.
    """
    _check(labels, rgb)
    parts = _purple_parts(labels, rgb)
    if parts is None:
        return []
    all_nuclei, platelets, diameter_px = parts
    objects = _largest_pieces(labels)
    n = int(objects.max(initial=0))
    nucleus_of, nuclei = _owned(all_nuclei, objects, n)
    platelet_px = np.bincount(objects[platelets > 0], minlength=n + 1)
    largest_platelet_px = _PLATELET_AREAS * np.pi / 4 * diameter_px**2
    masks = []
    for number, mask in enumerate(_plain(objects), start=1):
        reasons = mask.reasons + (TWO_NUCLEI,) * bool(nuclei[number] > 1)
        purple = platelet_px[number] > _PLATELET_SHARE * mask.area_px
        kind: Kind = "PLT" if purple and mask.area_px < largest_platelet_px else "RBC"
        kind = "WBC" if nuclei[number] else kind
        inner = (nucleus_of[mask.box.slices] == number) & mask.pixels
        nucleus = inner if kind == "WBC" else None
        masks.append(replace(mask, kind=kind, nucleus=nucleus, reasons=reasons))
    return masks


def plain_masks(labels: NDArray[np.int32], rgb: Rgb) -> list[Mask]:
    """Return one mask of kind ``OBJ`` a label, in the order of the labels; 0 is no object.

    As :func:`typed_masks`, for pictures that show no blood: whatever ``rgb`` shows, each label is
    an object. ``reasons`` names ``"touching"``. Raises :class:`InputError` for arrays that do not
    fit.

    >>> labels = np.array([[7, 0, 9, 9]], np.int32)
    >>> [mask.area_px for mask in plain_masks(labels, np.zeros((1, 4, 3), np.uint8))]
    [1, 2]
    """
    _check(labels, rgb)
    return list(_plain(_largest_pieces(labels)))


def _plain(objects: NDArray[np.int32]) -> Iterator[Mask]:
    """Yield a mask of kind ``OBJ`` for each of the objects, numbered from 1 without gaps."""
    touching = _touching(objects, int(objects.max(initial=0)))
    for number, window in enumerate(ndimage.find_objects(objects), start=1):
        box = Box(*(s.start for s in window), *(s.stop - s.start for s in window))
        border = box.grown(1).clipped(*objects.shape) != box.grown(1)
        reasons = (TOUCHING,) * bool(touching[number])
        yield Mask("OBJ", box, objects[window] == number, None, 1.0, border, reasons)


def _check(labels: NDArray[np.int32], rgb: Rgb) -> None:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise InputError("rgb", "uint8 (height, width, 3)", f"{rgb.dtype} {rgb.shape}")
    if labels.dtype != np.int32 or labels.shape != rgb.shape[:2]:
        raise InputError("labels", f"int32 {rgb.shape[:2]}", f"{labels.dtype} {labels.shape}")
    if labels.min(initial=0) < 0:
        raise InputError("labels", "0 or above", int(labels.min()))


def _purple_parts(
    labels: NDArray[np.int32], rgb: Rgb
) -> tuple[NDArray[np.int32], NDArray[np.int32], float] | None:
    """Return nuclei and platelets of the image with the diameter of its red cells in px.

    Very large images are looked at smaller.
    """
    height, width = labels.shape
    shrink = min(1.0, (_MAX_PIXELS / max(height * width, 1)) ** 0.5)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    if min(size) < 8:
        return None
    small = rgb if shrink == 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    stain = measure_stain(np.asarray(small, dtype=np.uint8))
    if stain is None:
        return None
    nuclear = nuclear_pixels(stain)
    diameter_px = red_cell_diameter(stain.foreground, nuclear, stain.bluish)
    diameter_px = diameter_px or shrink * _usual_diameter(labels)
    found = find_nuclei(stain, nuclear, diameter_px).nuclei
    nuclei, platelets = (
        np.asarray(cv2.resize(p, (width, height), interpolation=cv2.INTER_NEAREST), np.int32)
        for p in (found, _platelets(stain, diameter_px))
    )
    return nuclei, platelets, diameter_px / shrink


def _platelets(stain: Stain, diameter_px: float) -> NDArray[np.int32]:
    if diameter_px < LEAST_DIAMETER_PX:
        return np.zeros(stain.foreground.shape, dtype=np.int32)
    sight = look(stain, diameter_px)
    return find_platelets(shown_by(sight, stain.foreground.shape), sight, stain, diameter_px)


def _usual_diameter(labels: NDArray[np.int32]) -> float:
    """Return the median diameter in px of the labelled objects, 1 where there is none."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else 1.0


def _largest_pieces(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the largest connected piece of each label, numbered from 1 without gaps."""
    values, compact = np.unique(labels, return_inverse=True)
    objects = compact.reshape(labels.shape).astype(np.int32) + int(values[0] != 0)
    for number, window in enumerate(ndimage.find_objects(objects), start=1):
        own = objects[window] == number
        objects[window][own & ~largest_piece(own)] = 0
    return objects


def _owned(
    nuclei: NDArray[np.int32], objects: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Give each nucleus to the object that holds most of it.

    Returns the owner of each pixel of a nucleus, int32 (height, width), and how many nuclei each
    object owns, by number; owner 0 is none.
    """
    owner = np.zeros(int(nuclei.max(initial=0)) + 1, dtype=np.int32)
    for nucleus in range(1, len(owner)):
        owner[nucleus] = np.bincount(objects[nuclei == nucleus], minlength=1).argmax()
    return owner[nuclei], np.bincount(owner[1:], minlength=n + 1)


def _touching(objects: NDArray[np.int32], n: int) -> NDArray[np.bool_]:
    """Whether each object has a pixel next to one of another object, corners included."""
    found = np.zeros(n + 1, dtype=np.bool_)
    for down, right in _NEIGHBOURS:
        one = objects[: len(objects) - down, max(0, -right) : objects.shape[1] - max(0, right)]
        other = objects[down:, max(0, right) : objects.shape[1] + min(0, right)]
        meet = (one != other) & (one > 0) & (other > 0)
        found[one[meet]] = True
        found[other[meet]] = True
    return found
