"""Cut one train image up: its subject, what lies beside it, its plate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import Cutout, fringe_px, rim_weight, without_spurs
from naturalize.cutouts.outline import outline_text
from naturalize.cutouts.plate import Plate, take_plate
from naturalize.cutouts.triage import Refusal, TurnedDown, triage
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import Background, PlateSurface, estimate_background, fit_plate
from naturalize.segment import Mask

RIM_SHARE = 0.055
"""Width of the rim relative to the diameter of a red cell or other object."""
DEFAULT_RED_CELL_PX = 75.0
OBJECT_SHARE = 0.3
"""Of the contrast of red cells: what differs less from the bare slide is no object but a veil."""
_BLUR_PX = 1.2


@dataclass(frozen=True, eq=False)
class Pieces:
    """Everything one image gives: cutouts, what was turned down and why, its plate if it has one.

    ``subject_kind`` is the kind of the object at the centre, or empty; ``offset`` its (row, column)
    distance from the image centre in px; ``red_cells``, ``platelets`` and ``objects`` count masks
    beside it.
    """

    cutouts: tuple[Cutout, ...]
    turned_down: tuple[TurnedDown, ...]
    plate: Plate | None
    surface: PlateSurface
    donor_px: tuple[int, int]
    subject_kind: str
    offset: tuple[float, float] | None
    red_cells: int
    platelets: int
    objects: int


@dataclass(frozen=True, eq=False)
class _Donor:
    """An image being cut up; ``objects`` is bool (height, width), see :func:`find_objects`."""

    sample_id: str
    rgb: Rgb
    objects: NDArray[np.bool_]
    surface: PlateSurface
    rim_px: int

    def name(self, number: int) -> str:
        return f"{self.sample_id}#{number}"

    def turned_down(self, number: int, mask: Mask, refusal: Refusal) -> TurnedDown:
        outline = outline_text(mask.pixels, mask.box.top, mask.box.left)
        name = self.name(number)
        return TurnedDown(name, mask.kind, refusal, self.sample_id, mask.box, outline)

    def cutout(self, number: int, mask: Mask, label: str) -> Cutout:
        shape = (self.rgb.shape[0], self.rgb.shape[1])
        box = mask.box.grown(self.rim_px).clipped(*shape)
        return Cutout(
            id=self.name(number),
            kind=mask.kind,
            label=label,
            sample_id=self.sample_id,
            box=box,
            pixels=self.rgb[box.slices].copy(),
            weight=_weight(mask, box, self.objects, rim_px=self.rim_px),
            surface=self.surface,
            donor_px=shape,
        )


def cut_image(
    sample_id: str,
    label: str,
    rgb: Rgb,
    masks: Sequence[Mask],
    *,
    background: Background = "light",
) -> Pieces:
    """Take apart ``rgb`` along its ``masks``; ``label`` is the class of its subject."""
    shape = (rgb.shape[0], rgb.shape[1])
    subject = find_subject(masks, shape)
    bare = estimate_background(rgb, background)
    for mask in masks:
        bare[mask.box.slices] &= ~mask.pixels
    surface = fit_plate(rgb, bare, background)
    plate = take_plate(sample_id, rgb, bare, surface)
    refusals = {n: r for n, mask in enumerate(masks) if (r := _refusal(mask, n == subject))}
    rim_px = max(2, round(RIM_SHARE * usual_diameter(masks)))
    donor = _Donor(sample_id, rgb, find_objects(rgb, surface, masks), surface, rim_px)
    beside = Counter(mask.kind for n, mask in enumerate(masks) if n != subject)
    return Pieces(
        cutouts=tuple(
            donor.cutout(n, mask, label if n == subject else "")
            for n, mask in enumerate(masks)
            if n not in refusals
        ),
        turned_down=(
            *(donor.turned_down(n, masks[n], refusal) for n, refusal in refusals.items()),
            *_missing(sample_id, shape, plate, subject),
        ),
        plate=None if isinstance(plate, Refusal) else plate,
        surface=surface,
        donor_px=shape,
        subject_kind=masks[subject].kind if subject is not None else "",
        offset=_offset(masks[subject], shape) if subject is not None else None,
        red_cells=beside["RBC"],
        platelets=beside["PLT"],
        objects=beside["OBJ"],
    )


def _refusal(mask: Mask, is_subject: bool) -> Refusal | None:
    """Return why a mask of an image gives no cutout, or None."""
    if mask.kind == "WBC" and not is_subject:
        return triage(mask) or Refusal("not the subject of the image")
    if mask.kind == "OBJ" and not is_subject and mask.reasons:
        return triage(mask) or Refusal(mask.reasons[0])
    return triage(mask)


def _missing(
    sample_id: str, shape: tuple[int, int], plate: Plate | Refusal, subject: int | None
) -> Iterator[TurnedDown]:
    """Yield what the image as a whole should give and does not."""
    whole = Box(0, 0, *shape)
    if subject is None:
        refusal = Refusal("no nucleated cell, platelet or object at the centre")
        yield TurnedDown(sample_id, "subject", refusal, sample_id, whole)
    if isinstance(plate, Refusal):
        yield TurnedDown(sample_id, "plate", plate, sample_id, whole)


def find_objects(rgb: Rgb, surface: PlateSurface, masks: Sequence[Mask]) -> NDArray[np.bool_]:
    """Return bool (height, width): all masks, and what stands out as an object does.

    It differs from the bare slide by :data:`OBJECT_SHARE` of what red cells or other objects
    differ by, as the median. What differs less is a veil: smeared plasma, the faint fringe of a
    cell out of focus, an uneven slide. A veil belongs to what it surrounds, so rims reach into it.
    """
    shape = (rgb.shape[0], rgb.shape[1])
    usual = [mask for mask in masks if mask.kind in ("RBC", "OBJ")] or masks
    if not usual:
        return np.zeros(shape, dtype=np.bool_)
    smooth = cv2.GaussianBlur(rgb, (5, 5), _BLUR_PX).astype(np.float32)
    contrast = cv2.absdiff(smooth, surface.interpolated(*shape)).max(axis=2)
    seen = [contrast[mask.box.slices][mask.pixels] for mask in usual]
    objects = np.asarray(contrast > OBJECT_SHARE * float(np.median(np.concatenate(seen))))
    for mask in masks:
        objects[mask.box.slices] |= mask.pixels
    return objects


def _weight(mask: Mask, box: Box, objects: NDArray[np.bool_], *, rim_px: int) -> NDArray[np.uint8]:
    """Return the weight of one object over ``box``, judged by a wider look around it."""
    window = box.grown(2 * fringe_px(rim_px)).clipped(*objects.shape)
    own = without_spurs(mask.to_image(objects.shape)[window.slices])
    weight = rim_weight(own, objects[window.slices], rim_px=rim_px)
    top, left = box.top - window.top, box.left - window.left
    return weight[top : top + box.height, left : left + box.width]


def find_subject(masks: Sequence[Mask], shape: tuple[int, int]) -> int | None:
    """Return the index of the object the image shows: the nucleated cell or platelet at its centre.

    A nucleated cell whose box holds the image centre wins over a platelet; without either there is
    no subject. Of objects that are no blood the nearest to the centre is it.
    """
    row, column = shape[0] / 2, shape[1] / 2
    reach = 0.15 * min(shape)
    ranked = []
    for number, mask in enumerate(masks):
        off = _offset(mask, shape)
        near = mask.box.grown(round(reach))
        inside = near.top <= row < near.bottom and near.left <= column < near.right
        if mask.kind != "RBC" and inside:
            ranked.append((mask.kind != "WBC", off[0] ** 2 + off[1] ** 2, number))
    return min(ranked)[2] if ranked else None


def usual_diameter(masks: Sequence[Mask]) -> float:
    """Return the median diameter in px of whole red cells or objects, 75 px where there is none."""
    areas = [m.area_px for m in masks if m.kind in ("RBC", "OBJ") and not m.touches_border]
    return 2 * float(np.sqrt(np.median(areas) / np.pi)) if areas else DEFAULT_RED_CELL_PX


def _offset(mask: Mask, shape: tuple[int, int]) -> tuple[float, float]:
    return (
        mask.box.top + mask.box.height / 2 - shape[0] / 2,
        mask.box.left + mask.box.width / 2 - shape[1] / 2,
    )
