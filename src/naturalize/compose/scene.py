"""A scene: everything that was drawn for one composite, enough to render it again."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Density = tuple[float, float, float]
UNCHANGED: Density = (1.0, 1.0, 1.0)


class Placement(BaseModel):
    """One cutout on the canvas.

    ``top`` and ``left`` place the oriented cutout and may be negative; it is turned by ``turns``
    quarter turns against the clock, then flipped left to right if ``flip``; ``density`` multiplies
    the optical density of red, green and blue, or on a dark background the light given off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutout: str
    top: int
    left: int
    turns: int = 0
    flip: bool = False
    density: Density = UNCHANGED


class Surroundings(BaseModel):
    """A real image, kept as it is but for its subject.

    It is the image ``without`` (a cutout's id) was cut out of; ``density`` multiplies the optical
    density of red, green and blue of all that is left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    without: str
    density: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Scene(BaseModel):
    """What one composite shows.

    ``label`` is its class, ``plate`` the donor of the bare slide, ``noise_seed`` lays out its noise
    tiles, ``placements`` hold the subject first, ``unplaced`` counts by kind what found no room.
    ``surroundings`` tells of the plate's own image where that is kept around the subject.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    plate: str
    height_px: int
    width_px: int
    noise_seed: int
    placements: tuple[Placement, ...]
    unplaced: dict[str, int]
    surroundings: Surroundings | None = None
