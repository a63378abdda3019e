"""Cut one train image up: its subject, its red cells and platelets, its plate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.cutout import Cutout, fringe_px, rim_weight, without_spurs
from naturalize.cutouts.plate import Plate, take_plate
from naturalize.cutouts.triage import triage
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface, estimate_background, fit_plate
from naturalize.segment import Mask, Segmenter

RIM_SHARE = 0.055
"""Width of the rim relative to the diameter of a red cell."""
DEFAULT_RED_CELL_PX = 75.0


@dataclass(frozen=True, eq=False)
class Pieces:
    """Everything one image gives: cutouts, what was turned down with its reason, plate or reason.

    ``subject_kind`` is the kind of the object at the centre, or empty; ``offset`` its (row, column)
    distance from the image centre in px; ``red_cells`` and ``platelets`` count masks beside it.
    """

    cutouts: tuple[Cutout, ...]
    turned_down: tuple[tuple[str, str, str], ...]
    plate: Plate | str
    surface: PlateSurface
    donor_px: tuple[int, int]
    subject_kind: str
    offset: tuple[float, float] | None
    red_cells: int
    platelets: int


def cut_image(sample_id: str, label: str, rgb: Rgb, segmenter: Segmenter) -> Pieces:
    """Segment ``rgb`` and take apart what can be used; ``label`` is the class of its subject."""
    masks = segmenter.segment(rgb)
    subject = find_subject(masks, rgb.shape[:2])
    slide = estimate_background(rgb)
    objects = np.zeros(rgb.shape[:2], dtype=np.bool_)
    for mask in masks:
        objects[mask.box.slices] |= mask.pixels
    surface = fit_plate(rgb, slide & ~objects)
    rim_px = max(2, round(RIM_SHARE * red_cell_diameter(masks)))
    cutouts, turned_down = [], []
    for number, mask in enumerate(masks):
        name = f"{sample_id}#{number}"
        reason = triage(mask)
        if reason is None and mask.kind == "WBC" and number != subject:
            reason = "not the subject of the image"
        if reason is not None:
            turned_down.append((name, mask.kind, reason))
            continue
        box = mask.box.grown(rim_px).clipped(*rgb.shape[:2])
        weight = _weight(mask, box, objects | ~slide, rim_px=rim_px)
        cutouts.append(
            Cutout(
                id=name,
                kind=mask.kind,
                label=label if number == subject else "",
                sample_id=sample_id,
                box=box,
                pixels=rgb[box.slices].copy(),
                weight=weight,
                surface=surface,
                donor_px=(rgb.shape[0], rgb.shape[1]),
            )
        )
    return Pieces(
        cutouts=tuple(cutouts),
        turned_down=tuple(turned_down),
        plate=take_plate(sample_id, rgb, slide & ~objects, surface),
        surface=surface,
        donor_px=(rgb.shape[0], rgb.shape[1]),
        subject_kind=masks[subject].kind if subject is not None else "",
        offset=_offset(masks[subject], rgb.shape[:2]) if subject is not None else None,
        red_cells=sum(m.kind == "RBC" for m in masks),
        platelets=sum(m.kind == "PLT" for i, m in enumerate(masks) if i != subject),
    )


def _weight(mask: Mask, box: Box, stained: NDArray[np.bool_], *, rim_px: int) -> NDArray[np.uint8]:
    """Return the weight of one object over ``box``, judged by a wider look around it."""
    window = box.grown(2 * fringe_px(rim_px)).clipped(*stained.shape)
    own = without_spurs(mask.to_image(stained.shape)[window.slices])
    weight = rim_weight(own, stained[window.slices], rim_px=rim_px)
    top, left = box.top - window.top, box.left - window.left
    return weight[top : top + box.height, left : left + box.width]


def find_subject(masks: list[Mask], shape: tuple[int, int]) -> int | None:
    """Return the index of the object the image shows: the nucleated cell or platelet at its centre.

    A nucleated cell whose box holds the image centre wins over a platelet; without either there is
    no subject.
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


def red_cell_diameter(masks: list[Mask]) -> float:
    """Return the median diameter in px of whole red cells, 75 px where there is none."""
    areas = [m.area_px for m in masks if m.kind == "RBC" and not m.touches_border]
    return 2 * float(np.sqrt(np.median(areas) / np.pi)) if areas else DEFAULT_RED_CELL_PX


def _offset(mask: Mask, shape: tuple[int, int]) -> tuple[float, float]:
    return (
        mask.box.top + mask.box.height / 2 - shape[0] / 2,
        mask.box.left + mask.box.width / 2 - shape[1] / 2,
    )
