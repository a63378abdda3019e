"""What an audit found, and what was found of the recipes that come with the package."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from naturalize.artefact import Artefact
from naturalize.compose.recipe import Recipe
from naturalize.evaluate.bootstrap import Interval

AUDIT = "audit.json"
CHANCE = "real against real"
HARD_CUT = "alpha"


class Finding(BaseModel):
    """How well one probe told one kind of picture from real ones; ``n`` pictures of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probe: str
    trial: str
    auc: Interval
    n: int

    def said(self) -> str:
        """Return the figure in words."""
        return f"{self.trial}, probe {self.probe}: AUC {self.auc.said()}, n = {self.n} of each"


class Findings(BaseModel):
    """All findings about one recipe; ``limits`` say how high each probe's interval may reach."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    bank: str
    seed: int
    limits: dict[str, float]
    found: tuple[Finding, ...]

    @classmethod
    def load(cls, audit: Artefact) -> Findings:
        """Read an ``audit`` artefact."""
        return cls.model_validate_json((audit.path / AUDIT).read_bytes())

    def of(self, trial: str) -> tuple[Finding, ...]:
        """Return what each probe found in one trial."""
        return tuple(finding for finding in self.found if finding.trial == trial)

    def over_limit(self) -> tuple[Finding, ...]:
        """Return where a probe told the recipe's composites from real images too well."""
        return tuple(f for f in self.of(self.recipe.name) if f.auc.high > self.limits[f.probe])


def shipped_findings(recipe: Recipe) -> Findings | None:
    """Return what was found of ``recipe`` on real images, None where nobody measured just it."""
    return next((known for known in _shipped() if known.recipe == recipe), None)


@lru_cache(maxsize=1)
def _shipped() -> tuple[Findings, ...]:
    folder = files("naturalize.audit") / "shipped"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".json")), key=lambda f: f.name)
    return tuple(Findings.model_validate_json(Path(str(f)).read_bytes()) for f in found)
