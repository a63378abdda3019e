"""The network learns: examples drawn anew each step, from the same lessons."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import isfinite
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW

from naturalize.errors import NaturalizeError
from naturalize.progress import Track, quiet
from naturalize.seeds import child, child_seed
from naturalize.teach.lesson import Lesson
from naturalize.teach.network import CellNetwork, loss_of
from naturalize.teach.vary import draw_example
from naturalize.train.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from naturalize.train.precision import resolve_precision
from naturalize.train.schedule import one_cycle

BATCH = 16
RATE = 3e-3
DECAY = 1e-3
_SAVE_EVERY = 250
_LARGEST_GRADIENT = 1.0
_AHEAD = 4

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def learn(
    lessons: Sequence[Lesson],
    *,
    steps: int,
    seed: int,
    checkpoint: Path,
    device: str | None = None,
    track: Track = quiet,
) -> tuple[CellNetwork, NDArray[np.float32]]:
    """Return a network taught for ``steps`` batches of 16, and the loss of each step.

    Goes on from ``checkpoint`` where that file exists. Runs on a GPU where there is one, in bf16
    where the device is made for it.
    :class:`NaturalizeError` where the loss is no longer a number.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    halved = resolve_precision("auto", on_cpu=place.type == "cpu") == "bf16"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(seed, "teach", "network"))
        network = CellNetwork().to(place).to(memory_format=torch.channels_last)
    optimiser = AdamW(network.parameters(), RATE, weight_decay=DECAY)
    state = TrainingState(network, optimiser, torch.zeros(steps))
    load_checkpoint(checkpoint, state)
    batches = _batches(lessons, seed, state.step, steps)
    begun = monotonic() - state.seconds
    todo = range(state.step, steps)
    for step in track(todo, len(todo), f"teach ({BATCH} examples a step)"):
        for group in optimiser.param_groups:
            group["lr"] = one_cycle(step, steps, peak=RATE)
        state.losses[step] = _step(network, optimiser, next(batches), place, halved)
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == steps:
            _check_finite(float(state.losses[step]))
            state.step, state.seconds = step + 1, monotonic() - begun
            save_checkpoint(checkpoint, state)
    return network, state.losses.numpy()


def _step(
    network: CellNetwork, optimiser: AdamW, batch: Batch, place: torch.device, halved: bool
) -> Tensor:
    """Learn one batch, with 16 bits in place of 32 where ``halved``, and return the loss."""
    seen, *truth = (part.to(place, non_blocking=True) for part in batch)
    with torch.autocast(place.type, dtype=torch.bfloat16, enabled=halved):
        answer = network.train()(seen.contiguous(memory_format=torch.channels_last))
    loss = loss_of(answer.float(), *truth)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    optimiser.step()
    return loss.detach().cpu()


def _batches(lessons: Sequence[Lesson], seed: int, first: int, steps: int) -> Iterator[Batch]:
    """Yield the batches from step ``first`` on, a few drawn ahead by a thread."""
    with ThreadPoolExecutor(1) as beside:
        waiting: deque[Future[Batch]] = deque()
        for step in range(first, steps + _AHEAD):
            if step < steps:
                waiting.append(beside.submit(_batch, lessons, seed, step))
            if step >= first + _AHEAD:
                yield waiting.popleft().result()


def _batch(lessons: Sequence[Lesson], seed: int, step: int) -> Batch:
    """Draw a batch, which depends on the lessons, the seed and the step alone."""
    rng = child(seed, "teach", "step", step)
    chosen = rng.integers(len(lessons), size=BATCH)
    examples = [draw_example(lessons[i], rng=rng) for i in chosen]
    seen, shown, votes, known = (
        torch.from_numpy(np.stack([getattr(one, name) for one in examples]))
        for name in ("seen", "shown", "votes", "known")
    )
    return seen, shown, votes, known


def _check_finite(loss: float) -> None:
    if not isfinite(loss):
        raise NaturalizeError("the loss is no longer a number; another --seed may help")
