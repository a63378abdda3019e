"""The paper's data sets and networks, as a study of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from naturalize.study.training import Name, Seeds, TrainingSpec, Written


class PaperSet(Written):
    """One data set: all images, those of ``recipe`` added, ``cap`` real ones a class at most."""

    recipe: str | None = None
    cap: Annotated[int, Field(ge=3)] | None = None


class PaperSpec(Written):
    """A rerun of the paper: composites of all images, then the split.

    The first of ``models`` learns from every set (Tables 7 to 12), the others from ``models_on``
    alone (Tables 5 and 6).
    """

    name: Name
    protocol: Literal["paper"]
    question: str
    sets: Annotated[dict[Name, PaperSet], Field(min_length=1)]
    models: Annotated[tuple[str, ...], Field(min_length=1)] = ("efficientnet-lite0",)
    models_on: Name = "419-PMY"
    seeds: Seeds = (0,)
    training: TrainingSpec = TrainingSpec()
    phantoms: Annotated[int, Field(ge=44)] | None = None
