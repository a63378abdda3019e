"""Nuclei: the purple parts of a smear, their lobes joined, without platelets."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.quantiles import median, percentiles
from naturalize.segment.regions import bounds, fill_holes, find_boxes, label_areas, widened
from naturalize.segment.stain import Stain

_LOBE_GAP = 0.45
_LARGE_GAP = 0.2
_MAX_SPAN = 2.4
_PALER = 0.62
_PALER_APART = 0.78
_APART = 0.7
_GRAIN = 0.05
_CHROMATIN = 0.63
_LARGEST_PLATELET = 1.2
_HARDLY_DENSE = 0.55
_GRAINS = 0.29
_BLUE = 0.5
_DENSE = 0.72
_BLACK = 1.0


@dataclass(frozen=True, eq=False)
class PurpleParts:
    """The purple parts of one image.

    ``nuclei`` are labels int32 (height, width), 0 outside; ``others``, bool, marks what is too
    small or too pale for a nucleus, mostly platelets.
    """

    nuclei: NDArray[np.int32]
    others: NDArray[np.bool_]

    def window(self, place: tuple[slice, slice]) -> PurpleParts:
        """Return the parts at ``place`` (rows, columns)."""
        return PurpleParts(self.nuclei[place], self.others[place])


def nuclear_pixels(stain: Stain) -> NDArray[np.bool_]:
    """Return the pixels as purple as a nucleus: Otsu's threshold on the foreground's purple.

    Where the upper class is hardly more purple than red cells scatter, there is none.
    """
    values = stain.purple.flat[np.flatnonzero(stain.foreground)[::5]]
    if values.size < 20:
        return np.zeros_like(stain.foreground)
    threshold = _otsu(values)
    below = values[values < threshold]
    lowest = max(0.3 * stain.red_cell_density, 3 * float(np.std(below)) if below.size else 0.0)
    return np.asarray(stain.foreground & (stain.purple > max(threshold, lowest)))


def find_nuclei(stain: Stain, nuclear: NDArray[np.bool_], diameter_px: float) -> PurpleParts:
    """Turn nuclear pixels into whole nuclei, and tell them from what is like platelets.

    Lobes are joined when they lie near each other with no bare slide between. ``diameter_px`` is
    that of a red cell.
    """
    here = bounds(nuclear, _disc_side(diameter_px) + 1)
    parts = _find_parts(stain.window(here), nuclear[here], diameter_px)
    return PurpleParts(
        widened(parts.nuclei, here, nuclear.shape), widened(parts.others, here, nuclear.shape)
    )


def _find_parts(stain: Stain, nuclear: NDArray[np.bool_], diameter_px: float) -> PurpleParts:
    """Return the parts of a window around all nuclear pixels."""
    parts = _solid_parts(
        _without_cytoplasm(nuclear, stain.density[..., 1], diameter_px), diameter_px
    )
    labels, areas = label_areas(parts)
    places = {i: box for i, box in enumerate(find_boxes(labels), start=1) if box is not None}
    seen = [i for i in places if areas[i] > 0.015 * np.pi / 4 * diameter_px**2]
    outlines = {i: _outline_points(labels, i, places[i]) for i in seen}
    nucleus_of = np.zeros(len(areas), dtype=np.int32)
    other = np.zeros(len(areas), dtype=np.bool_)
    for members in _joined(seen, outlines, areas, stain, diameter_px):
        green, purple = (
            np.concatenate([values[places[i]][labels[places[i]] == i] for i in members])
            for values in (stain.density[..., 1], stain.purple)
        )
        if _is_nucleus(green, purple, stain.red_cell_density, diameter_px):
            nucleus_of[members] = nucleus_of.max() + 1
        else:
            other[members] = True
    return PurpleParts(np.take(nucleus_of, labels), np.take(other, labels))


def _without_cytoplasm(
    nuclear: NDArray[np.bool_], green: NDArray[np.float32], diameter_px: float
) -> NDArray[np.bool_]:
    """Take blue cytoplasm away from parts in which it is clearly paler than the nucleus.

    A second Otsu threshold within each part, on values smoothed beyond the texture of chromatin.
    """
    labels, areas = label_areas(nuclear)
    kept = nuclear.copy()
    for number, box in enumerate(find_boxes(labels), start=1):
        if areas[number] < 0.1 * diameter_px**2:
            continue
        part = labels[box] == number
        values = _smoothed(np.minimum(green[box], _BLACK), part, _GRAIN * diameter_px)[part]
        pale = values <= _otsu(values)
        if 0.05 < pale.mean() < 0.9 and _is_cytoplasm(values[pale], values[~pale]):
            kept[box][part] = ~pale
    return kept


def _smoothed(
    values: NDArray[np.float32], part: NDArray[np.bool_], sigma_px: float
) -> NDArray[np.float32]:
    """Return the mean of ``values`` over the part of it that lies near each pixel."""
    inside = part.astype(np.float32)
    weight = cv2.GaussianBlur(inside, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    total = cv2.GaussianBlur(values * inside, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total / np.maximum(weight, 1e-6), dtype=np.float32)


def _is_cytoplasm(pale: NDArray[np.float32], dark: NDArray[np.float32]) -> bool:
    """Whether the paler of two classes of pixels is cytoplasm, not the paler part of a nucleus."""
    ratio = float(pale.mean() / dark.mean())
    both = np.concatenate([pale, dark])
    within = (pale.size * pale.var() + dark.size * dark.var()) / both.size
    separability = 1 - float(within / both.var())
    return ratio < _PALER or (ratio < _PALER_APART and separability > _APART)


def _solid_parts(nuclear: NDArray[np.bool_], diameter_px: float) -> NDArray[np.bool_]:
    """Close the texture of chromatin, fill holes, drop specks."""
    side = _disc_side(diameter_px)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    solid = cv2.morphologyEx(nuclear.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    solid = cv2.morphologyEx(solid, cv2.MORPH_OPEN, disc)
    holes = fill_holes(solid > 0) & (solid == 0)
    labels, areas = label_areas(holes, connectivity=4)
    small = areas < 0.06 * diameter_px**2
    small[0] = False
    return np.asarray((solid > 0) | np.take(small, labels))


def _disc_side(diameter_px: float) -> int:
    """Return the side in pixels of the disc that closes the texture of chromatin."""
    return max(3, round(0.05 * diameter_px)) | 1


def _joined(
    parts: list[int],
    points: dict[int, NDArray[np.float64]],
    area: NDArray[np.int64],
    stain: Stain,
    diameter_px: float,
) -> list[list[int]]:
    """Group parts of one nucleus, largest first; ``points`` lie on the outlines of parts."""
    disc = np.pi / 4 * diameter_px**2
    groups: list[list[int]] = []
    for part in sorted(parts, key=lambda i: -area[i]):
        home = None
        for group in groups:
            gap, start, end = min(
                (_nearest(points[part], points[i]) for i in group), key=lambda found: found[0]
            )
            joint = np.concatenate([points[i] for i in [*group, part]])
            span = float(np.ptp(joint, axis=0).max())
            both_large = area[part] > 0.8 * disc and sum(area[i] for i in group) > 0.8 * disc
            if (
                gap > (_LARGE_GAP if both_large else _LOBE_GAP) * diameter_px
                or span > _MAX_SPAN * diameter_px
            ):
                continue
            if _slide_between(stain, start, end):
                continue
            home = group
            break
        if home is None:
            groups.append([part])
        else:
            home.append(part)
    return groups


def _outline_points(
    labels: NDArray[np.int32], number: int, place: tuple[slice, ...]
) -> NDArray[np.float64]:
    """Return (row, column) of the outline of a part, at most about 100 points."""
    contours, _ = cv2.findContours(
        (labels[place] == number).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    points = np.concatenate([c[:, 0, ::-1] for c in contours]).astype(np.float64)
    points += np.array([place[0].start, place[1].start])
    return points[:: max(1, len(points) // 100)]


def _nearest(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return the gap between two outlines and the two points that face each other."""
    squared = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    i, j = divmod(int(squared.argmin()), len(other))
    return float(np.sqrt(squared[i, j])), one[i], other[j]


def _slide_between(stain: Stain, start: NDArray[np.float64], end: NDArray[np.float64]) -> bool:
    """Whether bare slide shows on the straight way from one point to another."""
    way = np.linspace(start, end, 16).round().astype(int)
    return bool((~stain.foreground[way[:, 0], way[:, 1]]).mean() > 0.2)


def _is_nucleus(
    green: NDArray[np.float32], purple: NDArray[np.float32], unit: float, diameter_px: float
) -> bool:
    """Whether pixels with these ``green`` and ``purple`` densities are a nucleus, not a platelet.

    A nucleus is large, or as dense as only chromatin is, or both by half. What counts as dense lies
    between the absolute, since optical density does not depend on the light, and the image's own
    red cells, since slides are stained more and less. In weakly stained images chromatin is bluer
    than platelets. What is hardly dense but in grains is a large platelet.
    """
    area = green.size / (np.pi / 4 * diameter_px**2)
    density, excess = float(median(green)), float(median(purple))
    blueness = excess / max(density, 0.01)
    grainy = float(np.std(green)) > _GRAINS * float(np.mean(green))
    if area < _LARGEST_PLATELET and density < _HARDLY_DENSE and blueness < _BLUE and grainy:
        return False
    if area > 1.0 or area * density**2 > _CHROMATIN * unit**0.5:
        return True
    if area > 0.5 and area * excess > 1.3 * unit:
        return True
    return (area > 0.45 and blueness > 0.52) or (
        area > 0.2 and (density > _DENSE or blueness > 0.65)
    )


def _otsu(values: NDArray[np.float32]) -> float:
    """Return Otsu's threshold of float values, by 256 levels up to their 99.5th percentile."""
    low, high = (float(v) for v in percentiles(values, 0.5, 99.5))
    if high <= low:
        return high
    levels = np.clip((values - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(levels.reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return low + float(level) * (high - low) / 255
