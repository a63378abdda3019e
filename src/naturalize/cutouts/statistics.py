"""What real images of the set look like, measured on train images: counts and positions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from naturalize.optics import Background


class FieldStatistics(BaseModel):
    """Observations, one entry an image, in no particular order.

    ``red_cells`` and ``platelets`` count masks per image, parts at the border included, the
    subject left out; ``offsets`` are (row, column) distances in px of the subject's box centre
    from the image centre. ``objects`` counts what lies beside the subject where images show no
    blood; ``background`` is what all objects lie on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    red_cells: tuple[int, ...]
    platelets: tuple[int, ...]
    offsets: tuple[tuple[float, float], ...]
    median_red_cell_area_px: float | None
    objects: tuple[int, ...] = ()
    background: Background = "light"
