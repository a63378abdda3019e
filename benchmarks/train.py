"""How fast training is on one core: our loop beside a plain one, CPU settings, the loader alone.

    python benchmarks/train.py -o docs/results/train
    python benchmarks/train.py -o docs/results/train --images out/real/split3

Times are processor time of one process with one thread, ways in turn, several rounds. Without
``--images`` the pixels are noise, which takes as long. ``speed.json`` and ``speed.md`` hold the
figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from compose import about_machine
from naturalize.artefact import open_artefact
from naturalize.cli.allocator import SETTINGS
from naturalize.compose.batches import Batches
from naturalize.split.split import RealSplit
from naturalize.train.arms import find_arm
from naturalize.train.backbones import BACKBONES, build
from naturalize.train.crop import widened
from naturalize.train.feed import PoolFeed
from naturalize.train.fit import FitSettings, fit
from naturalize.train.pixels import load_pixels, normalise, sample_readers
from naturalize.train.prepare import Preparation
from naturalize.train.processes import start_accelerator
from naturalize.train.targets import smoothed_targets
from train_page import page

MODEL = "efficientnet-lite0"
CLASSES, PX, CROP, BATCH, STEPS = 11, 160, 222, 32, 8
WARM_UP = 3
"""Rounds of steps before the one that counts: memory is still growing in the first."""
POOL = 256
ARMS = ("flips", "flips+crops+light", "flips+crops+light+growing", "strong")


@dataclass(frozen=True)
class Way:
    """One way to train: whose loop, and which settings on top."""

    ours: bool
    channels_last: bool = False
    allocator: bool = False
    bf16: bool = False
    frozen: int = 0


WAYS = {
    "plain": Way(ours=False),
    "plain, channels last": Way(ours=False, channels_last=True),
    "ours": Way(ours=True, channels_last=True),
    "ours, allocator": Way(ours=True, channels_last=True, allocator=True),
    "ours, allocator, bf16": Way(ours=True, channels_last=True, allocator=True, bf16=True),
    "ours, allocator, bf16, 4 of 8 stages frozen": Way(
        ours=True, channels_last=True, allocator=True, bf16=True, frozen=4
    ),
}


def main() -> None:
    """Measure and write, or, as one of the processes that are measured, train a little."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--images", type=Path, help="split whose train images are shown")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", choices=(*WAYS, *ARMS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure in WAYS:
        print(training_speed(WAYS[args.measure], pool_of(args.images)))
    elif args.measure:
        print(loader_speed(args.measure, pool_of(args.images)))
    else:
        found = measured(args.images, args.rounds)
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "speed.json").write_text(json.dumps(found, indent=2) + "\n")
        (args.out / "speed.md").write_text(page(found))
        print(page(found))


def measured(images: Path | None, rounds: int) -> dict[str, Any]:
    """Return images a second of each way and each loader, one figure a round."""
    names = [*WAYS, *ARMS]
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        # Now forwards, now backwards, so that no way is always the first.
        for name in names if number % 2 == 0 else names[::-1]:
            speeds[name].append(round(in_a_process(name, images), 2))
            print(number, name, speeds[name][-1], flush=True)
    return {
        "model": MODEL,
        "px": PX,
        "batch": BATCH,
        "steps": STEPS,
        "pixels": "real train images" if images else "noise",
        "machine": about_machine() | {"torch": torch.__version__},
        "training": {name: speeds[name] for name in WAYS},
        "loader": {name: speeds[name] for name in ARMS},
    }


def in_a_process(name: str, images: Path | None) -> float:
    """Measure in a process of its own, as the allocator's settings are read when one starts."""
    kept = WAYS[name].allocator if name in WAYS else True
    given = {k: v for k, v in os.environ.items() if k not in SETTINGS} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", name]
    command += ["--images", str(images)] if images else []
    environment = given | SETTINGS if kept else given
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(said.stdout.split()[-1])


def pool_of(images: Path | None) -> Tensor:
    """Return pixels to show, uint8, as wide as arms with crops want them."""
    side = widened(PX)
    if images is None:
        noise = np.random.default_rng(0).integers(0, 256, (POOL, 3, side, side), np.uint8)
        return torch.from_numpy(noise)
    split = RealSplit.load(open_artefact(images, "split"))
    readers = sample_readers(split.root, split.train[:POOL])
    return load_pixels(readers, input_px=side, crop_px=widened(CROP))


def feed_of(pool: Tensor) -> PoolFeed:
    """Return a feed over ``pool``, whose labels do not matter here."""
    labels = np.arange(len(pool)) % CLASSES
    return PoolFeed(pool, Batches(labels, np.empty(0, np.int64), 0.0, BATCH, 0))


def preparation_of(arm: str) -> Preparation:
    """Return what the images of ``arm`` undergo, in a training that has shown whole ones long."""
    row = BACKBONES[MODEL]
    targets = smoothed_targets(CLASSES, 0.1)
    return Preparation(find_arm(arm), PX, row.mean, row.std, targets, BATCH, steps=STEPS, seed=0)


def loader_speed(arm: str, pool: Tensor) -> float:
    """Return images a second that come out of the loader: drawn, augmented, normalised."""
    feed, prepare = feed_of(pool), preparation_of(arm)
    if not find_arm(arm).crops:
        feed = feed_of(pool[..., :PX, :PX].contiguous())
    steps = 40

    def run() -> None:
        for step, shown in enumerate(feed.steps(0, steps, slice(None))):
            prepare(shown, step % STEPS, slice(None))

    run()
    return steps * BATCH / seconds(run)


def training_speed(way: Way, pool: Tensor) -> float:
    """Return images a second of training on batches that are ready."""
    row = BACKBONES[MODEL]
    model = build(MODEL, n_classes=CLASSES, input_px=PX, weights="random")
    pixels = pool[: BATCH * STEPS, :, :PX, :PX]
    lessons = [
        (
            normalise(part, row.mean, row.std),
            smoothed_targets(CLASSES, 0.1)[torch.arange(BATCH) % 11],
        )
        for part in pixels.split(BATCH)
    ]
    run = (ours if way.ours else plain)(model, lessons, way)
    for _ in range(WARM_UP):
        run()
    return len(lessons) * BATCH / seconds(run)


def plain(model: nn.Module, lessons: list[tuple[Tensor, Tensor]], way: Way) -> Callable[[], None]:
    """Return the loop as timm's training script has it, without what it logs."""
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    model.to(memory_format=layout)  # type: ignore[call-overload]
    ready = [(images.contiguous(memory_format=layout), targets) for images, targets in lessons]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)

    def run() -> None:
        model.train()
        for images, targets in ready:
            loss = cross_entropy(model(images), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


def ours(model: nn.Module, lessons: list[tuple[Tensor, Tensor]], way: Way) -> Callable[[], None]:
    """Return our loop, with its schedule, checkpoint and everything else it does."""
    settings = FitSettings("finetune", len(lessons), 1e-3, frozen=way.frozen)
    accelerator = start_accelerator("cpu", "bf16" if way.bf16 else "fp32")

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint"
            fit(model, Ready(lessons), settings, accelerator=accelerator, checkpoint=path)

    return run


@dataclass(frozen=True, eq=False)
class Ready:
    """Batches made beforehand, as examples of a training."""

    lessons: list[tuple[Tensor, Tensor]]

    @property
    def batch_size(self) -> int:
        """The number of images of a batch."""
        return BATCH

    def steps(self, first: int, stop: int, share: slice) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches."""
        yield from self.lessons[first:stop]


def seconds(run: Callable[[], None]) -> float:
    """Return the processor time of ``run``."""
    begun = process_time()
    run()
    return process_time() - begun


if __name__ == "__main__":
    main()
