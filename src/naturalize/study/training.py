"""What specs are made of, and what is the same for all cells of a study."""

from __future__ import annotations

from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[\w .+-]+$", max_length=40)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class Written(BaseModel):
    """A part of a spec; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def yaml(self) -> str:
        """Return the part as YAML; of a whole spec, such as ``load_spec`` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class TrainingSpec(Written):
    """How long and on what a network learns; as the options of ``naturalize train``."""

    model: str = "efficientnet-lite0"
    budget: Annotated[int, Field(ge=1)] = 9600
    batch: Annotated[int, Field(ge=2)] = 64
    px: int | None = 160
    crop: int | None = 256
    learning_rate: float | None = None
    frozen: Annotated[int, Field(ge=0)] = 0
    ema: float = 0.0
    precision: Literal["fp32", "bf16", "auto"] | None = None
