"""What a network answers when cell and surroundings are parted."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from naturalize.artefact import Artefact
from naturalize.evaluate.bootstrap import Interval, ScoreIntervals
from naturalize.evaluate.compare import PairedDifference

SHORTCUTS = "shortcuts.json"


class Seen(BaseModel):
    """How well one model names cells shown in one way.

    ``whole`` are its scores on the same ``n`` images as they are, ``change`` those of the view
    minus those. ``follows`` is how often it answers with the class of the picture that gave the
    surroundings, ``follows_whole`` how often it gives that wrong answer to the whole image; both
    are there only where the two classes differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    view: str
    n: int
    scores: ScoreIntervals
    whole: ScoreIntervals
    change: PairedDifference
    follows: Interval | None = None
    follows_whole: Interval | None = None

    @property
    def macro_f1(self) -> Interval | None:
        """The mean F1 of all classes; None where one has no image that could be shown so."""
        whole = all(one.support for one in self.scores.per_class)
        return self.scores.macro_f1 if whole else None


class Model(BaseModel):
    """One way to train, by its runs, which differ in their seed only.

    ``whole`` are its scores on all test images as they are. ``sway`` is what surroundings do beyond
    the editing: scores in those of another class minus scores in those of the cell's own class, on
    the cells shown in both; None where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    runs: tuple[str, ...]
    whole: ScoreIntervals
    sway: PairedDifference | None
    seen: tuple[Seen, ...]

    def of(self, view: str) -> Seen | None:
        """Return what was found in one view, None where no image could be shown so."""
        return next((one for one in self.seen if one.view == view), None)


class Shortcuts(BaseModel):
    """All findings on the test images of one split.

    ``left_out`` counts, by reason and class, images that could not be taken apart; ``sources`` the
    others by acquisition source, the main one first; ``commonest`` is the share of the commonest
    class among them, what a model gets that always names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    seed: int
    classes: tuple[str, ...]
    n: int
    n_groups: int
    apart: int
    left_out: dict[str, dict[str, int]]
    sources: dict[str, int]
    commonest: float
    models: tuple[Model, ...]

    @classmethod
    def load(cls, artefact: Artefact) -> Shortcuts:
        """Read a ``shortcuts`` artefact."""
        return cls.model_validate_json((artefact.path / SHORTCUTS).read_bytes())
