"""The figures the paper prints, to stand beside ours."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict


class PublishedSet(BaseModel):
    """One data set of the paper: F1 of each class, and accuracy, macro precision, recall, F1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: int
    f1: dict[str, float]
    overall: tuple[float, float, float, float]


class Published(BaseModel):
    """Tables 5 to 12; ``models`` are accuracy of train, val, test, macro precision, recall, F1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    models: dict[str, tuple[float, float, float, float, float, float]]
    sets: dict[str, PublishedSet]


@cache
def published() -> Published:
    """Return the paper's figures.

    >>> published().sets["2K"].f1["PMY"]
    0.96
    """
    text = (files("naturalize.study") / "published.yaml").read_text()
    return Published.model_validate(yaml.safe_load(text))
