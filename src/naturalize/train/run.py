"""One training from a split to a run: weights, loss curve and predictions."""

from __future__ import annotations

import hashlib
import logging
import shutil
from functools import partial
from pathlib import Path

import timm
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.batches import Exposure
from naturalize.compose.online import OnlineComposites
from naturalize.datasets.manifest import write_table
from naturalize.errors import InputError
from naturalize.predictions import Predictions
from naturalize.progress import Track, quiet
from naturalize.seeds import child_seed
from naturalize.split.split import Side
from naturalize.train import backbones
from naturalize.train.fit import Fitted, Mode, fit, start_accelerator
from naturalize.train.open_feed import decode, open_feed
from naturalize.train.pack import Pack
from naturalize.train.plan import Composites, Plan, make_plan
from naturalize.train.predict import predict
from naturalize.train.schedule import one_cycle
from naturalize.train.trained_model import INFO, WEIGHTS, model_bytes

METRICS = "metrics.csv"
PREDICTIONS: dict[Side, str] = {"val": "val.npz", "test": "test.npz"}
BUDGET_IMAGES = 40_000
_CHECKPOINT = "checkpoint/state.safetensors"

log = logging.getLogger(__name__)


def train_run(
    split: Artefact,
    out: Path,
    *,
    composites: Artefact | OnlineComposites | None = None,
    pack: Artefact | None = None,
    arm: str = "flips",
    model: str = "efficientnet-lite0",
    mode: Mode = "finetune",
    weights: str | None = None,
    budget_images: int = BUDGET_IMAGES,
    batch_size: int = 64,
    learning_rate: float | None = None,
    input_px: int | None = None,
    crop_px: int | None = 256,
    seed: int = 0,
    device: str | None = None,
    workers: int = 1,
    checkpoint_every: int | None = None,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Train ``model`` on the train side of ``split`` and predict the other two; a ``run`` artefact.

    ``arm`` is a key of :data:`~naturalize.train.arms.ARMS`; ``composites`` are for arms with a
    synthetic share, a folder of them or made as training goes, in ``workers`` processes; their
    donors are proven train images before one is read. The budget counts images shown, rounded up to
    whole batches, and is spent whatever the loss does; each arm shows each class equally often.
    With a ``pack`` of the same split and composites, pixels come from it and the image files are
    not needed. ``weights`` as in
    :func:`~naturalize.train.weight_sources.resolve_weights`; ``learning_rate``, ``input_px`` None:
    those of the mode and the backbone; ``crop_px`` as in
    :func:`~naturalize.train.pixels.fit_square`; ``device`` as in
    :func:`~naturalize.train.fit.start_accelerator`; ``checkpoint_every`` steps, None: 30 seconds.

    The folder holds ``model.safetensors``, ``model.json``, ``metrics.csv``, ``val.npz`` and
    ``test.npz``. On the CPU of one machine, with one number of threads, a repeated or resumed run
    has the same id. Raises :class:`InputError`, :class:`~naturalize.errors.LeakError`, and
    :class:`~naturalize.errors.NaturalizeError` where training diverges.
    """
    plan = make_plan(
        split,
        composites,
        arm=arm,
        model=model,
        mode=mode,
        weights=weights,
        budget_images=budget_images,
        batch_size=batch_size,
        learning_rate=learning_rate,
        input_px=input_px,
        crop_px=crop_px,
        seed=seed,
    )
    if workers < 1:
        raise InputError("workers", "at least 1", workers)
    inputs = _inputs(split, composites, pack)
    packed = None
    if pack is not None:
        packed = Pack.load(pack, split, inputs.get("composites"), crop_px)
    request = Request("run", plan.parameters(), inputs, seed)
    write = partial(
        _write,
        plan=plan,
        pack=packed,
        device=device,
        workers=workers,
        checkpoint_every=checkpoint_every,
        track=track,
    )
    return build(out, request, write, if_exists=if_exists)


def _inputs(
    split: Artefact, composites: Artefact | OnlineComposites | None, pack: Artefact | None
) -> dict[str, Artefact]:
    if isinstance(composites, OnlineComposites):
        if pack is not None:
            raise InputError("pack", "none where composites are made online", pack.path)
        return {"split": split, "bank": composites.bank}
    given = {"split": split, "composites": composites, "pack": pack}
    return {role: artefact for role, artefact in given.items() if artefact is not None}


def _write(
    draft: Draft,
    *,
    plan: Plan,
    pack: Pack | None,
    device: str | None,
    workers: int,
    checkpoint_every: int | None,
    track: Track,
) -> None:
    """Train and predict. What may be wrong comes first: weights, then every image is decoded."""
    accelerator = start_accelerator(device)
    if accelerator.num_processes > 1:
        raise InputError("processes", "one to write a run", accelerator.num_processes)
    network = backbones.build(
        plan.info.backbone,
        n_classes=len(plan.info.classes),
        input_px=plan.info.input_px,
        weights=plan.weights,
        seed=child_seed(plan.settings.seed, "weights"),
    )
    log.info("%s starts from weights: %s", plan.info.backbone, plan.info.weights)
    feed = open_feed(plan, pack, device=accelerator.device, workers=workers, track=track)
    held_back: dict[Side, Tensor] = {side: decode(plan, pack, side, track) for side in PREDICTIONS}
    fitted = fit(
        network,
        feed,
        plan.settings,
        accelerator=accelerator,
        checkpoint=draft.path / _CHECKPOINT,
        checkpoint_every=checkpoint_every,
        track=track,
    )
    draft.summary.update(_summary(plan, fitted, accelerator))
    _write_model(draft, plan, network, fitted)
    _write_predictions(draft, plan, network, held_back, track)
    shutil.rmtree((draft.path / _CHECKPOINT).parent)


def _write_model(draft: Draft, plan: Plan, network: nn.Module, fitted: Fitted) -> None:
    draft.write(WEIGHTS, model_bytes(network))
    draft.write(INFO, plan.info.model_dump_json(indent=2) + "\n")
    steps, peak = plan.settings.steps, plan.settings.learning_rate
    rows = [
        [step, (step + 1) * plan.batches.batch_size, f"{loss:.6g}", f"{rate:.6g}"]
        for step, loss in enumerate(fitted.losses)
        for rate in [one_cycle(step, steps, peak=peak)]
    ]
    draft.write(METRICS, write_table(["step", "images", "loss", "learning_rate"], rows))


def _write_predictions(
    draft: Draft, plan: Plan, network: nn.Module, held_back: dict[Side, Tensor], track: Track
) -> None:
    with (draft.path / WEIGHTS).open("rb") as stream:
        checkpoint_id = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    for side, pixels in held_back.items():
        ids = tuple(sample.id for sample in plan.split.side(side))
        probabilities = predict(
            network,
            pixels,
            mean=plan.info.mean,
            std=plan.info.std,
            what=f"predicting {side}",
            track=track,
        )
        found = Predictions(ids, probabilities, plan.info.classes, checkpoint_id, plan.split.id)
        draft.write(PREDICTIONS[side], found.to_bytes())


def _different(composites: Composites | None, shown: Exposure) -> int:
    """Count the composites at hand; online each one shown is another."""
    if isinstance(composites, OnlineComposites):
        return int(shown.synthetic.sum())
    return len(composites.images) if composites is not None else 0


def _summary(plan: Plan, fitted: Fitted, accelerator: Accelerator) -> dict[str, object]:
    """Say what was shown and how fast; nothing here enters the run's id."""
    classes, steps = plan.info.classes, plan.settings.steps
    shown = plan.batches.exposure(steps, len(classes))
    images_seen = steps * plan.batches.batch_size
    fell_back = {c: int(n) for c, n in zip(classes, shown.fallback, strict=True) if n}
    if fell_back:
        log.warning("no composites for %s: real images shown instead", ", ".join(fell_back))
    return {
        "arm": plan.arm_name,
        "model": plan.info.backbone,
        "mode": plan.settings.mode,
        "weights": plan.info.weights,
        "classes": list(classes),
        "train_images": len(plan.split.train),
        "composites": _different(plan.composites, shown),
        "images_seen": images_seen,
        "real_seen": dict(zip(classes, shown.real.tolist(), strict=True)),
        "synthetic_seen": dict(zip(classes, shown.synthetic.tolist(), strict=True)),
        "real_for_want_of_composites": fell_back,
        "last_loss": round(float(fitted.losses[-20:].mean()), 4),
        "device": str(accelerator.device),
        "precision": "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        "threads": torch.get_num_threads(),
        "seconds": round(fitted.seconds, 1),
        "images_per_second": round(images_seen / fitted.seconds, 1),
        "libraries": {"torch": torch.__version__, "timm": timm.__version__},
    }
