"""From runs back to the images they came from: every artefact the report speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from naturalize.artefact import Artefact, protocol
from naturalize.errors import InputError, LeakError

SETTINGS: dict[str, object] = {
    "steps": None,
    "batch_size": None,
    "learning_rate": None,
    "weight_decay": None,
    "layer_decay": 1.0,
    "frozen": 0,
    "ema": 0.0,
    "keep": "last",
    "precision": None,
    "input_px": None,
    "crop_px": None,
    "merge": None,
    "spatial": None,
}
"""What makes two runs more than two seeds, and what runs did before it was a setting."""


@dataclass(frozen=True)
class Lineage:
    """The artefacts behind some runs of one split; composites and bank where a run used them."""

    runs: tuple[Artefact, ...]
    split: Artefact
    curated: Artefact
    dataset: Artefact
    composites: Artefact | None
    bank: Artefact | None

    def artefacts(self) -> tuple[Artefact, ...]:
        """Return all of them, in the order they were made."""
        optional = tuple(a for a in (self.bank, self.composites) if a is not None)
        return (self.dataset, self.curated, self.split, *optional, *self.runs)


def trace(runs: Sequence[Artefact]) -> Lineage:
    """Follow the inputs of ``runs`` back to the data set.

    Raises :class:`InputError` where the runs are of different splits or an artefact has changed,
    :class:`LeakError` for runs of the paper's protocol.
    """
    if not runs:
        raise InputError("runs", "at least one run", "none")
    twice = [run for i, run in enumerate(runs) if run.id in {other.id for other in runs[:i]}]
    if twice:
        raise InputError(f"run {twice[0].path}", "each run once", "the same run again")
    stamped = [run for run in runs if protocol(run) == "paper"]
    if stamped:
        raise LeakError(
            f"run {stamped[0].path}: of the paper's protocol, whose test images are not untouched; "
            "`naturalize study paper` reports on such runs"
        )
    split = runs[0].input("split")
    for run in runs[1:]:
        other = run.manifest["inputs"]["split"]["id"]
        if other != split.id:
            raise InputError(f"run {run.path}", f"a run of split {split.id}", f"one of {other}")
    curated = split.input("curated")
    composites = _first_input(runs, "composites")
    banked = runs if composites is None else (composites,)
    return Lineage(
        runs=tuple(runs),
        split=split,
        curated=curated,
        dataset=curated.input("dataset"),
        composites=composites,
        bank=_first_input(banked, "bank"),
    )


def _first_input(artefacts: Sequence[Artefact], role: str) -> Artefact | None:
    """Open what the first of ``artefacts`` that has such an input was made from."""
    made = next((one for one in artefacts if role in one.manifest["inputs"]), None)
    return made.input(role) if made is not None else None


def arm_names(runs: Sequence[Artefact]) -> dict[str, list[Artefact]]:
    """Group runs into arms: those alike in arm, model, mode and settings are seeds of one arm.

    Model and mode are part of the name only where they differ between the runs, settings where they
    differ within what would else be one arm.
    """
    described = [(run.summary["arm"], run.summary["model"], run.summary["mode"]) for run in runs]
    several = [len({d[i] for d in described}) > 1 for i in range(3)]
    alike: dict[str, list[Artefact]] = {}
    for run, parts in zip(runs, described, strict=True):
        more = [str(part) for part, differs in zip(parts[1:], several[1:], strict=True) if differs]
        alike.setdefault(", ".join([str(parts[0]), *more]), []).append(run)
    arms: dict[str, list[Artefact]] = {}
    for name, group in alike.items():
        for run in group:
            arms.setdefault(", ".join([name, *_settings_apart(run, group)]), []).append(run)
    return {
        name: sorted(seeds, key=lambda run: run.manifest["seed"]) for name, seeds in arms.items()
    }


def _settings_apart(run: Artefact, group: Sequence[Artefact]) -> list[str]:
    """Say by which settings a run differs from others of its ``group``."""
    return [
        f"{setting.replace('_', ' ')} {_setting(run, setting)}"
        for setting in SETTINGS
        if len({_setting(other, setting) for other in group}) > 1
    ]


def _setting(run: Artefact, setting: str) -> str:
    return str(run.manifest["parameters"].get(setting, SETTINGS[setting]))
