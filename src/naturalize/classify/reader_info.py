"""All that a reader is besides its network: what it was calibrated to, what is known of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from naturalize.errors import InputError

INFO = "reader.json"


class Scale(BaseModel):
    """How train images show their cells: how large, where, in which light.

    Red cells are ``diameter_px`` across, nearly all of them between the two of
    ``usual_px``, and the cell nearly always within ``usual_offset`` red cells of the middle; the
    network sees a square of ``crop_diameters`` red cells, or, where no red cell was measured,
    ``crop_share`` of an image's shorter side. ``slides`` are the colours of their bare slide, the
    commonest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    diameter_px: float
    usual_px: tuple[float, float]
    usual_offset: float
    crop_diameters: float
    crop_share: float
    slides: tuple[tuple[float, float, float], ...]

    def side_px(self, diameter_px: float) -> int:
        """Return the side of the square to be shown where red cells are ``diameter_px`` across.

        What lies within the spread of the train images is taken for their median: there, the
        measured diameter is more noise than magnification.

        >>> known = {"usual_px": (70, 85), "usual_offset": 0.2, "crop_share": 0.7, "slides": ()}
        >>> scale = Scale(diameter_px=75, crop_diameters=3, **known)
        >>> scale.side_px(83), scale.side_px(100)
        (225, 300)
        """
        low, high = self.usual_px
        usual = self.diameter_px if low <= diameter_px <= high else diameter_px
        return round(self.crop_diameters * usual)


class Limits(BaseModel):
    """Beyond which a person should look: see :mod:`naturalize.classify.review`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_margin: float
    most_unfamiliar: float
    least_sharpness: float


class ReaderInfo(BaseModel):
    """What :data:`INFO` holds.

    ``temperature`` divides the logits; ``thresholds`` are those of
    :mod:`naturalize.classify.conformal` for each class, ``class_wise`` says which are the class's
    own, ``coverage`` what they promise. ``confusion`` counts validation images by true (rows) and
    given class. ``about`` is for people: data, licence, ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[str, ...]
    input_px: int
    scale: Scale
    temperature: float
    coverage: float
    thresholds: tuple[float, ...]
    class_wise: tuple[bool, ...]
    limits: Limits
    confusion: tuple[tuple[int, ...], ...]
    about: dict[str, str]

    @classmethod
    def read(cls, data: bytes, *, name: str) -> ReaderInfo:
        """Parse the file ``name``; :class:`InputError` if it is none."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise InputError(name, "the description of a reader", error) from error


def weights_folder() -> Path:
    """Return where the shipped reader lies."""
    return Path(__file__).with_name("weights")
