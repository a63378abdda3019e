"""Read a whole field of view: its nucleated cells one by one, red cells and platelets counted."""

from __future__ import annotations

from naturalize.classify.find_cells import diameter_of
from naturalize.classify.light import slide_colour
from naturalize.classify.reader import LEAST_PX, Reader, View
from naturalize.classify.reading import FieldReading
from naturalize.classify.tiles import field_masks
from naturalize.classify.view import centred_square, shown, square_at
from naturalize.geometry import Box
from naturalize.images import Rgb


def read_field(reader: Reader, rgb: Rgb) -> FieldReading:
    """Return what a field, uint8 (height, width, 3), shows; nothing where there are no cells."""
    shape = (rgb.shape[0], rgb.shape[1])
    masks = field_masks(rgb, reader.segmenter) if min(shape) >= LEAST_PX else []
    diameter = diameter_of(masks)
    scale, size = reader.info.scale, reader.info.input_px
    side = scale.side_px(diameter) if diameter else centred_square(shape, scale).height
    cells = [mask for mask in masks if mask.kind == "WBC"]
    slide = slide_colour(rgb) if cells else None
    views = [
        View(
            shown(rgb, _square(mask.box, side), size, scale, slide),
            mask.box,
            cut=mask.touches_border,
        )
        for mask in cells
    ]
    return FieldReading(reader.read(views), masks, shape)


def _square(box: Box, side: int) -> Box:
    return square_at(box.top + box.height / 2, box.left + box.width / 2, side)
