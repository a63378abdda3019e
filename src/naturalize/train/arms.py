"""What training images undergo: the arms one compares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from naturalize.errors import InputError


class Arm(BaseModel):
    """One way to feed the same budget of images.

    ``flips`` lays each image in one of its eight orientations; ``synthetic_share`` is the
    probability that a real image gives its place to a composite of its own class, so every arm
    shows each class equally often.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    flips: bool
    synthetic_share: Annotated[float, Field(ge=0, le=1)] = 0.0


ARMS: dict[str, Arm] = {
    "none": Arm(name="none", flips=False),
    "flips": Arm(name="flips", flips=True),
    "naturalize": Arm(name="naturalize", flips=True, synthetic_share=0.5),
}


def find_arm(name: str) -> Arm:
    """Return the arm called ``name``; :class:`InputError` lists the names for an unknown one."""
    if name not in ARMS:
        raise InputError("arm", ", ".join(ARMS), name)
    return ARMS[name]
