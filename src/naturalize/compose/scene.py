"""A scene: everything that was drawn for one composite, enough to render it again."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

Row = tuple[float, float, float]
StainMatrix = tuple[Row, Row, Row]
UNSTAINED: StainMatrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Variation(BaseModel):
    """How a cell differs from its cutout; by default not at all.

    ``stain`` multiplies its optical densities, see :func:`naturalize.compose.appearance.restained`;
    ``size`` its sides. ``knots`` bend it: 4 by 4, row by row, each (down, right) in px, how far
    from it what is seen there lies in the cutout; none for a cell that is not bent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stain: StainMatrix = UNSTAINED
    size: Annotated[float, Field(gt=0)] = 1.0
    knots: tuple[float, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether any pixel leaves its place."""
        return self.size != 1.0 or bool(self.knots)


Density = tuple[float, float, float]
UNCHANGED: Density = (1.0, 1.0, 1.0)


class Placement(BaseModel):
    """One cutout on the canvas.

    It is changed by ``variation``, turned by ``turns`` quarter turns against the clock, then
    flipped left to right if ``flip``; ``top`` and ``left`` place the result and may be negative.
    ``density`` multiplies the optical density of red, green and blue, or on a dark background the
    light given off. Written out, no variation is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cutout: str
    top: int
    left: int
    turns: int = 0
    flip: bool = False
    density: Density = UNCHANGED
    variation: Variation = Variation()

    @model_serializer(mode="wrap")
    def _without_no_variation(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = dump(self)
        if self.variation == Variation():
            del written["variation"]
        return written


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
    ``surroundings`` tells of a real image where one is kept around the subject; the plate, which
    is the light it is shown in, may be another's.
    ``focus`` blurs the whole picture, or sharpens it where below 0.
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
    focus: float = 0.0

    @property
    def cutouts(self) -> tuple[str, ...]:
        """The ids of all cutouts it is made of, the one taken out of its surroundings too."""
        without = () if self.surroundings is None else (self.surroundings.without,)
        return *(placement.cutout for placement in self.placements), *without
