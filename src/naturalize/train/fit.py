"""The training loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW

from naturalize.errors import InputError, NaturalizeError
from naturalize.progress import Track, quiet
from naturalize.seeds import child_seed
from naturalize.train.augment import draw_orientations, orient
from naturalize.train.checkpoint import Progress, load_checkpoint, save_checkpoint
from naturalize.train.feed import Feed, Pixels
from naturalize.train.pixels import normalise
from naturalize.train.schedule import one_cycle
from naturalize.train.weights import classifier

Mode = Literal["finetune", "transfer"]
CHECK_EVERY = 20
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class FitSettings:
    """What decides a training besides its images and its first weights.

    ``mode`` trains every layer (``finetune``) or the head alone (``transfer``); ``learning_rate``
    is the peak of the cycle; ``flips`` draws one of eight orientations per image.
    """

    mode: Mode
    steps: int
    learning_rate: float
    flips: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    seed: int = 0
    weight_decay: float = 0.05
    label_smoothing: float = 0.1


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a training leaves: the mean loss of each step, float32 (steps,), and its seconds."""

    losses: NDArray[np.float32]
    seconds: float


def fit(
    model: nn.Module,
    feed: Feed,
    settings: FitSettings,
    *,
    accelerator: Accelerator,
    checkpoint: Path,
    checkpoint_every: int | None = None,
    track: Track = quiet,
) -> Fitted:
    """Train ``model`` in place on what ``feed`` shows; the last weights count.

    Begins at ``checkpoint`` where that file exists, and writes it every ``checkpoint_every`` steps
    (None: every 30 seconds) and at the end. Every step draws from its own seed, so on one machine's
    CPU an interrupted training ends with the same bits as another. :class:`NaturalizeError` where
    the loss is no longer a number. With several processes each takes its share of every batch.
    """
    model.to(memory_format=torch.channels_last)
    _set_mode(model, settings.mode)
    optimizer = AdamW(_parameter_groups(model, settings.weight_decay), settings.learning_rate)
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    losses = torch.zeros(settings.steps, device=accelerator.device)
    done = load_checkpoint(checkpoint, model, optimizer, losses)
    begun = saved = monotonic()
    with torch.random.fork_rng(devices=_cuda(accelerator.device)):
        todo = track(range(done.step, settings.steps), settings.steps - done.step, "training")
        fed = feed.steps(done.step, settings.steps, _share(accelerator))
        for step, shown in zip(todo, fed, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = one_cycle(step, settings.steps, peak=settings.learning_rate)
            size = feed.batches.batch_size
            images, labels = _prepared(shown, size, settings, step, accelerator)
            torch.manual_seed(child_seed(settings.seed, "step", step, accelerator.process_index))
            loss = cross_entropy(wrapped(images), labels, label_smoothing=settings.label_smoothing)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            losses[step] = loss.detach()
            is_last = step + 1 == settings.steps
            is_due = is_last or _is_due(step + 1, checkpoint_every, monotonic() - saved)
            if is_due or step % CHECK_EVERY == 0:
                _check_finite(losses[: step + 1], settings.learning_rate)
            if is_due and accelerator.is_main_process:
                progress = Progress(step + 1, done.seconds + monotonic() - begun)
                save_checkpoint(checkpoint, model, optimizer, losses, progress)
                saved = monotonic()
    accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
    return Fitted(losses.cpu().numpy(), done.seconds + monotonic() - begun)


def start_accelerator(device: str | None = None) -> Accelerator:
    """Return what places a training: float32 on a CPU, bfloat16 autocast on a CUDA device.

    ``device`` is ``"cpu"``, ``"cuda"`` or None for the best one there is. A process keeps the
    device it first trained on.
    """
    if device not in (None, "cpu", "cuda"):
        raise InputError("device", "cpu or cuda", device)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "cpu, as torch finds no CUDA device", device)
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    try:
        return Accelerator(cpu=on_cpu, mixed_precision="no" if on_cpu else "bf16")
    except ValueError as error:
        raise InputError("device", "the one this process first trained on", device) from error


def _set_mode(model: nn.Module, mode: Mode) -> None:
    """Make all layers learn, or the head alone over a base that keeps even its running means."""
    model.train(mode == "finetune")
    model.requires_grad_(mode == "finetune")
    classifier(model).train().requires_grad_(True)


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Let weights decay, but no bias and no scale of a normalisation."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


def _share(accelerator: Accelerator) -> slice:
    """Return the slots of each batch that are this process's."""
    return slice(accelerator.process_index, None, accelerator.num_processes)


def _prepared(
    shown: Pixels, batch_size: int, settings: FitSettings, step: int, accelerator: Accelerator
) -> Pixels:
    """Return this process's share of the batch at ``step``: float images and class indices."""
    pixels, labels = (tensor.to(accelerator.device) for tensor in shown)
    if settings.flips:
        generator = torch.Generator().manual_seed(child_seed(settings.seed, "augment", step))
        drawn = draw_orientations(batch_size, generator=generator)
        pixels = orient(pixels, drawn[_share(accelerator)])
    return normalise(pixels, settings.mean, settings.std), labels


def _is_due(done: int, every: int | None, seconds: float) -> bool:
    return seconds > CHECKPOINT_SECONDS if every is None else done % every == 0


def _check_finite(losses: Tensor, learning_rate: float) -> None:
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        raise NaturalizeError(
            f"training: the loss at step {int(bad[0])} is not a number; "
            f"lower learning_rate (now {learning_rate:g})"
        )
