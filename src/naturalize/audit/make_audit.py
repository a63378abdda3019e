"""Measure how well probes tell the composites of a recipe from real images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.audit.auc import auc
from naturalize.audit.audit_page import audit_page
from naturalize.audit.crop_probe import CropProbe
from naturalize.audit.findings import AUDIT, CHANCE, HARD_CUT, Finding, Findings
from naturalize.audit.frozen_probe import FrozenProbe
from naturalize.audit.pictures import composed_pictures, real_pictures, two_draws
from naturalize.audit.pools import two_pools
from naturalize.compose.open_bank import proven_bank
from naturalize.compose.recipe import Recipe
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.split.split import RealSplit

PAGE = "audit.html"
COUNT = 300


class Probe(Protocol):
    """Something that learns to tell made pictures from real ones."""

    name: str
    limit: float
    """How high the interval of its AUC may reach for composites that pass as real."""

    def look(self, pictures: Sequence[Rgb]) -> Any:
        """Return what the probe keeps of pictures."""
        ...

    def scores(
        self, real: Any, made: Any, seen: Sequence[Any], *, seed: int
    ) -> list[NDArray[np.float64]]:
        """Learn from what it kept of ``real`` and ``made``; say how made each of ``seen`` looks."""
        ...


PROBES: tuple[Probe, ...] = (FrozenProbe(), CropProbe())


class Trials:
    """Two pools of one bank: on the first a probe learns, on the second it is judged."""

    def __init__(self, bank: Artefact, recipe: Recipe, *, count: int, seed: int) -> None:
        self._split = RealSplit.load(bank.input("split"))
        self._recipe, self._seed = recipe, seed
        self._looked: dict[str, list[Any]] = {}
        rng = child(seed, "audit", "pools")
        self._pools = two_pools(proven_bank(bank), self._split.train, rng=rng)
        self._draws = [
            two_draws(pool, count, rng=child(seed, "audit", "draw", i))
            for i, pool in enumerate(self._pools)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """What real images are told from: other real ones, the recipe's, hard cuts."""
        cut = () if self._recipe.blend == "alpha" else (HARD_CUT,)
        return (CHANCE, self._recipe.name, *cut)

    def real(self) -> list[list[Rgb]]:
        """Return the real pictures of both pools."""
        return self._real(0)

    def looked_at(self, probe: Probe) -> list[Any]:
        """Return what a probe keeps of the real pictures of both pools; it looks once."""
        if probe.name not in self._looked:
            self._looked[probe.name] = [probe.look(pictures) for pictures in self.real()]
        return self._looked[probe.name]

    def judged(self) -> tuple[Sample, ...]:
        """Return the samples of the real pictures of the second pool."""
        return self._draws[1][0]

    def made(self, name: str) -> list[list[Rgb]]:
        """Return the pictures of a trial, of both pools."""
        if name == CHANCE:
            return self._real(1)
        changed = {"blend": "alpha"} if name == HARD_CUT else {}
        recipe = self._recipe.model_copy(update=changed)
        return [
            composed_pictures(pool, draw[0], recipe, seed=self._seed)
            for pool, draw in zip(self._pools, self._draws, strict=True)
        ]

    def _real(self, which: int) -> list[list[Rgb]]:
        root, encode = self._split.root, self._recipe.encode
        return [real_pictures(root, draw[which], encode) for draw in self._draws]


def make_audit(
    bank: Artefact,
    out: Path,
    *,
    recipe: Recipe,
    count: int = COUNT,
    seed: int = 0,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write an ``audit`` artefact: ``audit.json`` and a page.

    ``count`` is the number of real images a pool, fewer where the bank is small; as many
    composites of the same classes are made from the same pool. All go through the recipe's final
    encode.
    """

    def write(draft: Draft) -> None:
        trials = Trials(bank, recipe, count=count, seed=seed)
        done = (_tried(draft, trials, name, seed) for name in trials.names)
        found = [finding for some in track(done, len(trials.names), "audit") for finding in some]
        limits = {probe.name: probe.limit for probe in PROBES}
        whole = Findings(recipe=recipe, bank=bank.id, seed=seed, limits=limits, found=tuple(found))
        draft.write(AUDIT, whole.model_dump_json(indent=1) + "\n")
        draft.write(PAGE, audit_page(whole))
        draft.summary.update(over_limit=[finding.said() for finding in whole.over_limit()])

    parameters = {"recipe": recipe.model_dump(mode="json"), "count": count}
    request = Request("audit", parameters, {"bank": bank}, seed)
    return build(out, request, write, if_exists=if_exists)


def _tried(draft: Draft, trials: Trials, name: str, seed: int) -> list[Finding]:
    """Put one trial to every probe, unless an interrupted run did."""

    def work() -> str:
        made = trials.made(name)
        return "".join(
            _asked(probe, name, trials.looked_at(probe), made, seed).model_dump_json() + "\n"
            for probe in PROBES
        )

    text = draft.remember(f"{name.replace(' ', '-')}.jsonl", work)
    return [Finding.model_validate_json(line) for line in text.splitlines()]


def _asked(probe: Probe, name: str, real: list[Any], made: list[list[Rgb]], seed: int) -> Finding:
    """Let a probe learn on the first pool and judge the second; it has seen the ``real`` ones."""
    learn_real, judge_real = real
    learn_made, judge_made = (probe.look(pictures) for pictures in made)
    seen = judge_real, judge_made
    scores = probe.scores(learn_real, learn_made, seen, seed=seed)
    figure = auc(*scores, rng=child(seed, "audit", "bootstrap"))
    return Finding(probe=probe.name, trial=name, auc=figure, n=len(judge_real))
