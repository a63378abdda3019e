"""One image of a data set."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Sample(BaseModel):
    """What is known of one image file without decoding it.

    ``id`` is the path below the data root in POSIX form, so a person can find the file; ``group``
    names the leak unit (images that must stay on one side of a split); ``source`` the acquisition
    source where it is known; ``sha256`` the digest of the file's bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    group: str
    source: str
    height_px: int
    width_px: int
    sha256: str
