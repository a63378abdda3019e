"""What is known to lie on an image that was cut up, taken out or not."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.outline import outline_points
from naturalize.cutouts.triage import TurnedDown
from naturalize.geometry import Box


@dataclass(frozen=True, eq=False)
class DonorObject:
    """One object of a donor: its id in the bank, kind, box and pixels, bool of the box's shape."""

    id: str
    kind: str
    box: Box
    pixels: NDArray[np.bool_]


def donor_objects(
    bank: CutoutBank, sample_id: str, *, near: Box | None = None
) -> list[DonorObject]:
    """Return the objects of one donor: its cutouts, then what was turned down, by its outline.

    With ``near`` only those whose boxes meet that one.
    """
    found = [
        DonorObject(row.id, row.kind, row.box, bank.cutout(row.id).mask)
        for row in bank.rows_of(sample_id)
        if near is None or near.meets(row.box)
    ]
    refused = bank.turned_down_of(sample_id)
    return found + [
        _drawn(one) for one in refused if one.outline and (near is None or near.meets(one.box))
    ]


def _drawn(refused: TurnedDown) -> DonorObject:
    points = outline_points(refused.outline) - (refused.box.top, refused.box.left)
    canvas = np.zeros((refused.box.height, refused.box.width), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.ascontiguousarray(points[:, ::-1], np.int32)], 1)
    return DonorObject(refused.id, refused.kind, refused.box, canvas > 0)
