"""What training images undergo: settings that combine into the arms one compares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from naturalize.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]


class Arm(BaseModel):
    """One way to feed the same budget of images.

    ``flips`` lays each image in one of its eight orientations, ``crops`` shows a random square of a
    wider one, ``light`` varies how bright each channel of it is, ``stain`` its densities as well,
    ``randaugment`` bends and recolours it, ``growing`` shows it small in the first two thirds of a
    training (:mod:`~naturalize.train.growth`); ``mix`` blends images of a batch. ``balanced`` shows
    each class equally often, ``class_weights`` makes rare classes count more. ``label_smoothing``
    goes to all classes or, with ``maturation``, to the neighbours of a class on its maturation
    line. ``synthetic_share`` is the probability that a real image gives its place to a composite of
    its own class, so composites never change how often a class is shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    flips: bool = False
    crops: bool = False
    light: bool = False
    stain: bool = False
    randaugment: bool = False
    growing: bool = False
    mix: Literal["mixup", "cutmix"] | None = None
    balanced: bool = False
    class_weights: bool = False
    label_smoothing: Share = 0.1
    maturation: bool = False
    synthetic_share: Share = 0.0

    @property
    def repeats_views(self) -> bool:
        """Whether the same few views of an image are shown again and again."""
        changes = (self.crops, self.light, self.stain, self.randaugment, self.growing, self.mix)
        return not any(changes)


SETTINGS: dict[str, dict[str, object]] = {
    "none": {},
    "flips": {"flips": True},
    "crops": {"crops": True},
    "light": {"light": True},
    "stain": {"stain": True},
    "randaugment": {"randaugment": True},
    "growing": {"growing": True},
    "strong": {"flips": True, "crops": True, "stain": True, "randaugment": True},
    "mixup": {"mix": "mixup"},
    "cutmix": {"mix": "cutmix"},
    "balanced": {"balanced": True},
    "class-weights": {"class_weights": True},
    "hard-labels": {"label_smoothing": 0.0},
    "maturation": {"maturation": True},
    "naturalize": {"flips": True, "synthetic_share": 0.5},
}
RIVALS = (
    ("mixup", "cutmix"),
    ("light", "stain"),
    ("balanced", "class-weights"),
    ("hard-labels", "maturation"),
)


def find_arm(name: str, *, share: float | None = None) -> Arm:
    """Return the arm called ``name``: settings joined by ``+``.

    ``share``, above 0 and at most 1, takes the place of its synthetic share. :class:`InputError`
    lists the settings for an unknown one, and names two that do not go together.

    >>> arm = find_arm("naturalize+stain")
    >>> arm.flips, arm.stain, arm.synthetic_share
    (True, True, 0.5)
    """
    parts = name.split("+")
    unknown = [part for part in parts if part not in SETTINGS]
    if unknown:
        raise InputError("arm", f"{', '.join(SETTINGS)}, or some joined by +", name)
    for pair in RIVALS:
        if set(pair) <= set(parts):
            raise InputError("arm", f"one of {' and '.join(pair)}", name)
    fields = {key: value for part in parts for key, value in SETTINGS[part].items()}
    if share is not None:
        if not 0 < share <= 1:
            raise InputError("share", "above 0, at most 1", share)
        fields["synthetic_share"] = share
    return Arm.model_validate({"name": name, **fields})
