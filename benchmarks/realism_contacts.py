"""What gives composites away, by how much of a cell's outline touches its neighbours.

    python benchmarks/realism_contacts.py out/real/bank -o docs/results/realism

The frozen probe of ``audit`` learns to tell composites of the first pool from its real images and
judges the second, three times: cells put where recipe ``naturalize`` puts them, back where they
were, and one JPEG block (8 px) beside where they were. The last have the stain, light, focus and
neighbours of their own image, so what is told of them is how they meet those neighbours. Each is
told once more among images whose cell touches nothing, a little or much. Writes ``contacts.json``,
no pixel.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import open_artefact
from naturalize.audit.frozen_probe import Features, FrozenProbe
from naturalize.audit.pictures import real_pictures, two_draws
from naturalize.audit.pools import Pool, two_pools
from naturalize.compose.placement import draw_scene
from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.compose.render import render
from naturalize.compose.scene import Scene
from naturalize.compose.silhouette import silhouette
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.sample import Sample
from naturalize.seeds import child
from naturalize.split.split import RealSplit
from realism import figure

BLOCK_PX = 8
CONTACTS = {"nothing": (0.0, 0.02), "a little": (0.02, 0.3), "much": (0.3, 1.01)}
"""Shares of the outline's directions in which a neighbour touches, from and below."""
Change = Callable[[Scene, np.random.Generator], Scene]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bank", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000, help="pictures of each kind a pool")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    found = measured(given.bank, given.count, given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "contacts.json").write_text(json.dumps(found, indent=1) + "\n")


def measured(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Return the figures of every way to place a cell."""
    artefact = open_artefact(folder, "bank")
    bank, split = CutoutBank.load(artefact), RealSplit.load(artefact.input("split"))
    pools = two_pools(bank, split.train, rng=child(seed, "audit", "pools"))
    draws = [
        two_draws(pool, count, rng=child(seed, "audit", "draw", i))[0]
        for i, pool in enumerate(pools)
    ]
    probe, drawn = FrozenProbe(), load_recipe("naturalize")
    learn_real, judge_real = (
        probe.look(real_pictures(split.root, draw, drawn.encode)) for draw in draws
    )
    own = drawn.model_copy(update={"surroundings": "own"})
    ways: dict[str, tuple[Recipe, Change]] = {
        "where the recipe puts them": (drawn, as_drawn),
        "where they were": (own, as_drawn),
        "a block beside": (own, beside),
    }
    found: dict[str, Any] = {"bank": artefact.id, "count": count, "seed": seed, "probe": probe.name}
    shares_real = touched_real(bank, draws[1])
    for name, (recipe, change) in ways.items():
        (learn_made, _), (judge_made, cells) = (
            shown(probe, pool, draw, recipe, change, seed=seed)
            for pool, draw in zip(pools, draws, strict=True)
        )
        scores = probe.scores(learn_real, learn_made, (judge_real, judge_made), seed=seed)
        shares_made = np.array([touches(bank, cell) for cell in cells])
        found[name] = {"all": figure(scores)} | by_contact(scores, (shares_real, shares_made))
        print(name, json.dumps(found[name]), flush=True)
    return found


def shown(
    probe: FrozenProbe,
    pool: Pool,
    samples: Sequence[Sample],
    recipe: Recipe,
    change: Change,
    *,
    seed: int,
) -> tuple[Features, list[str]]:
    """Show the probe a composite for each of ``samples``; return what it saw, and the cells."""
    scenes = scenes_of(pool, samples, recipe, change, seed=seed)
    seen = probe.look([render(scene, pool.bank, recipe).image for scene in scenes])
    return seen, [scene.placements[0].cutout for scene in scenes]


def scenes_of(
    pool: Pool, samples: Sequence[Sample], recipe: Recipe, change: Change, *, seed: int
) -> list[Scene]:
    """Return one scene for each of ``samples``, of its class, from the pool's bank alone."""
    scenes = []
    for number, sample in enumerate(samples):
        rng = child(seed, "audit", sample.id, number)
        scenes.append(change(draw_scene(recipe, pool.bank, sample.label, rng=rng), rng))
    return scenes


def as_drawn(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return the scene as it is."""
    return scene


def beside(scene: Scene, rng: np.random.Generator) -> Scene:
    """Move the cell by a JPEG block up, down, left or right."""
    down, right = ((BLOCK_PX, 0), (-BLOCK_PX, 0), (0, BLOCK_PX), (0, -BLOCK_PX))[rng.integers(4)]
    (cell,) = scene.placements
    moved = cell.model_copy(update={"top": cell.top + down, "left": cell.left + right})
    return scene.model_copy(update={"placements": (moved,)})


def touches(bank: CutoutBank, cutout: str) -> float:
    """Return the share of a cell's directions in which a neighbour touches it."""
    return float(silhouette(bank.cutout(cutout))[1].mean())


def touched_real(bank: CutoutBank, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Return :func:`touches` of the subjects of real images, NaN where none was cut out."""
    own = {row.sample_id: row.id for row in bank.rows if row.label}
    return np.array([touches(bank, own[s.id]) if s.id in own else np.nan for s in samples])


def by_contact(
    scores: Sequence[NDArray[np.float64]], touched: tuple[NDArray[np.float64], ...]
) -> dict[str, Any]:
    """Return the figure among images whose cell touches as much."""
    found = {}
    for name, (low, high) in CONTACTS.items():
        some = [
            score[(share >= low) & (share < high)]
            for score, share in zip(scores, touched, strict=True)
        ]
        found[name] = figure(some)
    return found


if __name__ == "__main__":
    main()
