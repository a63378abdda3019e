"""Teach a network by the cells of a bank: lessons first, then learning; both can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.open_bank import opened_bank, proven_bank
from naturalize.datasets.manifest import write_table
from naturalize.errors import InputError
from naturalize.progress import Track, quiet
from naturalize.seeds import child
from naturalize.teach.lesson import Lesson, make_lesson, pack_lessons, unpack_lessons
from naturalize.workers import run_all

NETWORK = "cells.onnx"
CURVE = "curve.csv"
LESSONS, STEPS = 6000, 8000
CHUNK = 50
_CURVE_EVERY = 50


def make_network(
    bank: Artefact,
    out: Path,
    *,
    lessons: int = LESSONS,
    steps: int = STEPS,
    seed: int = 0,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``network`` artefact: what :mod:`naturalize.segment.cell_net` runs, and its curve.

    ``lessons`` crowded composites are made of the bank, which is proven first to hold train images
    of its split only, and the network sees ``steps`` batches of 16 examples of them. Raises
    :class:`InputError` for a bank without blood, or numbers below 1.
    """
    from naturalize.teach.learn import learn
    from naturalize.teach.network import to_onnx

    _check(bank, lessons, steps)

    def write(draft: Draft) -> None:
        made = list(_lessons(bank, lessons, seed, workers, draft, track))
        network, losses = learn(
            made, steps=steps, seed=seed, checkpoint=draft.scratch("learning.safetensors"),
            track=track,
        )  # fmt: skip
        draft.write(NETWORK, to_onnx(network))
        draft.write(CURVE, write_table(["step", "loss"], _curve(losses)))
        draft.summary.update(
            lessons=len(made),
            steps=steps,
            last_loss=round(float(losses[-_CURVE_EVERY:].mean()), 4),
            split_id=opened_bank(bank).split_id,
        )

    parameters = {"lessons": lessons, "steps": steps}
    request = Request("network", parameters, {"bank": bank}, seed)
    return build(out, request, write, if_exists=if_exists)


def _check(bank: Artefact, lessons: int, steps: int) -> None:
    for name, value in (("--lessons", lessons), ("--steps", steps)):
        if value < 1:
            raise InputError(name, "at least 1", value)
    loaded = proven_bank(bank)
    if "RBC" not in loaded.bystander_kinds:
        raise InputError(str(bank.path), "a bank with red cells", "one without")


def _lessons(
    bank: Artefact, count: int, seed: int, workers: int, draft: Draft, track: Track
) -> Iterator[Lesson]:
    """Make the lessons, or read those that an interrupted run made."""
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    work = partial(_lesson_chunk, bank, seed, draft.path)
    done = run_all(work, chunks, workers=workers)
    for file in track(done, len(chunks), f"lessons ({CHUNK} a step)"):
        yield from unpack_lessons(file.read_bytes())


def _lesson_chunk(bank: Artefact, seed: int, draft: Path, numbers: range) -> Path:
    def work() -> bytes:
        loaded = opened_bank(bank)
        made = (make_lesson(loaded, rng=child(seed, "lesson", number)) for number in numbers)
        return pack_lessons([one for one in made if one is not None])

    return Draft(draft).keep(f"lessons-{numbers[0]}.npz", work)


def _curve(losses: NDArray[np.float32]) -> Iterator[tuple[int, str]]:
    """Yield the mean loss of every 50 steps."""
    for start in range(0, len(losses), _CURVE_EVERY):
        part = losses[start : start + _CURVE_EVERY]
        yield start + len(part), f"{part.mean():.5f}"
