"""One picture of reasons: what was asked, what was answered, how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from naturalize.artefact import Artefact
from naturalize.datasets.manifest import write_table
from naturalize.explain.trust import FIGURES, Trust

TABLE = "explanations.jsonl"
CSV = "explanations.csv"
PICTURES = ("original", "heat", "overlay")


class Explanation(BaseModel):
    """Why one network gives one image ``probability`` of being of class ``asked``.

    ``number`` counts the images from 1; ``truth`` and ``side`` are empty where the run's split does
    not know the image. ``flat`` says that no map spoke for the class: there is no heat. ``trust``
    is None where it was not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    image: str
    run: str
    truth: str
    side: str
    predicted: str
    asked: str
    probability: float
    flat: bool
    trust: Trust | None

    def picture(self, kind: str) -> str:
        """Return the file of one of :data:`PICTURES`, below the folder of the explanations."""
        return f"pictures/{self.number:03}-{self.run.replace('/', '-')}-{kind}.png"

    def doubts(self) -> tuple[str, ...]:
        """Say in words what speaks against the picture."""
        if self.flat:
            return ("no map speaks for this class: there is no heat",)
        return () if self.trust is None else self.trust.doubts()


def load_explanations(artefact: Artefact) -> list[Explanation]:
    """Read those of an ``explanations`` artefact."""
    lines = (artefact.path / TABLE).read_text(encoding="utf-8").splitlines()
    return [Explanation.model_validate_json(line) for line in lines]


def by_run(found: Sequence[Explanation]) -> dict[str, list[Explanation]]:
    """Return the explanations of each run."""
    runs: dict[str, list[Explanation]] = {}
    for one in found:
        runs.setdefault(one.run, []).append(one)
    return runs


def explanations_table(found: Sequence[Explanation]) -> str:
    """Return CSV text, one row an image and run, with the names of its pictures."""
    plain = [name for name in Explanation.model_fields if name not in ("trust", "flat")]
    rows = []
    for one in found:
        figures = [None if one.trust is None else getattr(one.trust, name) for name in FIGURES]
        said = ["" if figure is None else f"{figure:.4f}" for figure in figures]
        facts = one.model_dump()
        pictures = [one.picture(kind) for kind in PICTURES]
        rows.append([*(facts[n] for n in plain), *said, "; ".join(one.doubts()), *pictures])
    return write_table([*plain, *FIGURES, "doubts", *PICTURES], rows)
