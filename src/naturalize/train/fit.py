"""The training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW

from naturalize.errors import NaturalizeError
from naturalize.progress import Track, quiet
from naturalize.seeds import child_seed
from naturalize.train import ema
from naturalize.train.cbam import Cbam
from naturalize.train.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from naturalize.train.examples import Examples
from naturalize.train.frozen import freeze
from naturalize.train.parameter_groups import parameter_groups, set_learning_rate
from naturalize.train.precision import Precision
from naturalize.train.processes import check_shares, precise
from naturalize.train.schedule import one_cycle
from naturalize.train.validation import Validated, Validation
from naturalize.train.weights import classifier

Mode = Literal["finetune", "transfer"]
Keep = Literal["last", "best"]
CHECK_EVERY = 20
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class FitSettings:
    """What decides a training besides its examples and its first weights.

    ``mode`` trains every layer (``finetune``) or the head alone (``transfer``); ``learning_rate``
    is the peak of the cycle; ``layer_decay`` below 1 slows lower layers down, and the lowest
    ``frozen`` stages do not learn (:func:`~naturalize.train.frozen.freeze`); ``ema`` above 0 keeps
    a running mean of the weights with that decay. The ``last`` weights count (their mean where one
    is kept), or those that validated ``best`` at one of ``validations`` evenly spaced steps.
    ``precision`` as in :func:`~naturalize.train.processes.start_accelerator`.
    """

    mode: Mode
    steps: int
    learning_rate: float
    seed: int = 0
    weight_decay: float = 0.05
    layer_decay: float = 1.0
    frozen: int = 0
    ema: float = 0.0
    keep: Keep = "last"
    validations: int = 0
    precision: Precision | None = None

    def is_validated(self, step: int) -> bool:
        """Whether the weights are validated after ``step`` steps; always after the last."""
        parts = step * self.validations
        return parts // self.steps > (parts - self.validations) // self.steps


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a training leaves: the mean loss of each step, float32 (steps,), and its seconds.

    ``counted`` is the number of steps after which the kept weights stood.
    """

    losses: NDArray[np.float32]
    seconds: float
    validated: tuple[Validated, ...]
    counted: int


@dataclass(frozen=True)
class Told:
    """How a training stands after ``step`` of ``steps`` steps; ``loss`` is a mean over a few."""

    step: int
    steps: int
    seconds: float
    loss: float
    learning_rate: float
    validated: Validated | None


Watch = Callable[[Told], None]


def unwatched(told: Told) -> None:
    """Tell nobody."""


def fit(
    model: nn.Module,
    examples: Examples,
    settings: FitSettings,
    *,
    accelerator: Accelerator,
    checkpoint: Path,
    checkpoint_every: int | None = None,
    validation: Validation | None = None,
    watch: Watch = unwatched,
    track: Track = quiet,
) -> Fitted:
    """Train ``model`` in place on ``examples`` and leave it with the weights that count.

    Begins at ``checkpoint`` where that file exists, and writes it every ``checkpoint_every`` steps
    (None: every 30 seconds) and at the end. Every step draws from its own seed, so on one machine's
    CPU an interrupted training ends with the same bits as another. :class:`NaturalizeError` where
    the loss is no longer a number. With several processes each takes its share of every batch, and
    their mean gradient is that of the whole batch (batch normalisation counts each share alone).
    """
    check_shares(accelerator, examples.batch_size)
    model.to(memory_format=torch.channels_last)
    _set_mode(model, settings)
    groups = parameter_groups(
        model, weight_decay=settings.weight_decay, layer_decay=settings.layer_decay
    )
    wrapped, optimizer = accelerator.prepare(model, AdamW(groups, settings.learning_rate))
    state = TrainingState(model, optimizer, torch.zeros(settings.steps, device=accelerator.device))
    state.average = ema.copied(model) if settings.ema else {}
    load_checkpoint(checkpoint, state)
    clock = _Clock(state.seconds)
    with torch.random.fork_rng(devices=_cuda(accelerator.device)), precise(model, accelerator):
        left = range(state.step, settings.steps)
        lessons = examples.steps(state.step, settings.steps, _share(accelerator))
        for step, lesson in zip(track(left, len(left), "training"), lessons, strict=True):
            torch.manual_seed(child_seed(settings.seed, "step", step, accelerator.process_index))
            _learn(wrapped, lesson, settings, state, accelerator)
            validated = _validate(state, settings, validation)
            state.seconds = clock.seconds()
            is_due = clock.is_due(state.step, checkpoint_every) or state.step == settings.steps
            if is_due or validated or step % CHECK_EVERY == 0:
                watch(_told(state, settings))
            if is_due and accelerator.is_main_process:
                save_checkpoint(checkpoint, state)
                clock.restart()
    accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
    return _finished(state, settings)


class _Clock:
    """Knows how long a training took in all, and since its last checkpoint."""

    def __init__(self, before: float) -> None:
        self._begun, self._saved, self._before = monotonic(), monotonic(), before

    def seconds(self) -> float:
        return self._before + monotonic() - self._begun

    def is_due(self, done: int, every: int | None) -> bool:
        return (
            monotonic() - self._saved > CHECKPOINT_SECONDS if every is None else done % every == 0
        )

    def restart(self) -> None:
        self._saved = monotonic()


def _set_mode(model: nn.Module, settings: FitSettings) -> None:
    """Say which layers learn; what is below them keeps even its running means."""
    model.train(settings.mode == "finetune")
    model.requires_grad_(settings.mode == "finetune")
    if settings.frozen:
        freeze(model, settings.frozen)
    if settings.mode == "transfer":
        for part in model.head_parts() if isinstance(model, Cbam) else [classifier(model)]:
            part.train().requires_grad_(True)


def _learn(
    wrapped: nn.Module,
    lesson: tuple[Tensor, Tensor],
    settings: FitSettings,
    state: TrainingState,
    accelerator: Accelerator,
) -> None:
    """Take one step."""
    inputs, targets = lesson
    set_learning_rate(
        state.optimizer, one_cycle(state.step, settings.steps, peak=settings.learning_rate)
    )
    loss = cross_entropy(wrapped(inputs), targets)
    accelerator.backward(loss)
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.losses[state.step] = accelerator.reduce(loss.detach(), "mean")
    if state.average:
        ema.update(state.average, state.model, decay=settings.ema, step=state.step)
    state.step += 1


def _validate(state: TrainingState, settings: FitSettings, validation: Validation | None) -> bool:
    """Score the weights that would count now and keep the best; say whether that was due."""
    if validation is None or not settings.is_validated(state.step):
        return False
    with ema.lent(state.model, state.average):
        found = validation(state.model, state.step)
        best = max((one.macro_f1 for one in state.validated), default=-1.0)
        if settings.keep == "best" and found.macro_f1 > best:
            state.best = ema.copied(state.model)
    state.validated.append(found)
    return True


def _told(state: TrainingState, settings: FitSettings) -> Told:
    """Say how the training stands; :class:`NaturalizeError` where the loss is no number."""
    losses = state.losses[: state.step]
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        raise NaturalizeError(
            f"training: the loss at step {int(bad[0])} is not a number; "
            f"lower learning_rate (now {settings.learning_rate:g})"
        )
    rate = one_cycle(state.step - 1, settings.steps, peak=settings.learning_rate)
    last = state.validated[-1] if state.validated else None
    mean = float(losses[-CHECK_EVERY:].mean())
    return Told(state.step, settings.steps, state.seconds, mean, rate, last)


def _finished(state: TrainingState, settings: FitSettings) -> Fitted:
    """Give the model the weights that count."""
    ema.put(state.model, state.best or state.average)
    best = max(state.validated, key=lambda one: one.macro_f1) if state.best else None
    counted = best.step if best is not None else settings.steps
    losses = state.losses.cpu().numpy()
    return Fitted(losses, state.seconds, tuple(state.validated), counted)


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _share(accelerator: Accelerator) -> slice:
    """Return the slots of each batch that are this process's."""
    return slice(accelerator.process_index, None, accelerator.num_processes)
