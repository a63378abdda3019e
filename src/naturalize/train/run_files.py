"""What a finished training leaves: weights, loss curve, predictions, and what is said of it."""

from __future__ import annotations

import hashlib
import logging

import timm
import torch
from accelerate import Accelerator
from torch import nn

from naturalize.artefact import Draft
from naturalize.compose.batches import Exposure
from naturalize.compose.online import OnlineComposites
from naturalize.datasets.manifest import write_table
from naturalize.predictions import Predictions
from naturalize.split.split import Side
from naturalize.train.fit import Fitted
from naturalize.train.learn import Learned
from naturalize.train.plan import Composites, Plan
from naturalize.train.schedule import one_cycle
from naturalize.train.trained_model import INFO, WEIGHTS, model_bytes

METRICS = "metrics.csv"
PREDICTIONS: dict[Side, str] = {"val": "val.npz", "test": "test.npz"}
COLUMNS = ["step", "images", "loss", "learning_rate", "val_loss", "val_accuracy", "val_macro_f1"]

log = logging.getLogger(__name__)


def write_run(
    draft: Draft, plan: Plan, network: nn.Module, learned: Learned, accelerator: Accelerator
) -> None:
    """Write the files of a run into its draft, and its summary."""
    draft.summary.update(_summary(plan, learned.fitted, accelerator))
    draft.write(WEIGHTS, model_bytes(network))
    draft.write(INFO, plan.info.model_dump_json(indent=2) + "\n")
    draft.write(METRICS, _metrics(plan, learned.fitted))
    _write_predictions(draft, plan, learned)


def _metrics(plan: Plan, fitted: Fitted) -> str:
    """Return one row a step; what was validated after it stands beside it."""
    steps, peak = plan.settings.steps, plan.settings.learning_rate
    validated = {one.step: one for one in fitted.validated}
    rows: list[list[object]] = []
    for done, loss in enumerate(fitted.losses, start=1):
        rate = one_cycle(done - 1, steps, peak=peak)
        one = validated.get(done)
        scores = (one.loss, one.accuracy, one.macro_f1) if one is not None else ()
        row: list[object] = [done - 1, done * plan.batches.batch_size, f"{loss:.6g}", f"{rate:.6g}"]
        rows.append([*row, *(f"{s:.6g}" for s in scores)] if scores else [*row, "", "", ""])
    return write_table(COLUMNS, rows)


def _write_predictions(draft: Draft, plan: Plan, learned: Learned) -> None:
    with (draft.path / WEIGHTS).open("rb") as stream:
        checkpoint_id = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    for side, file in PREDICTIONS.items():
        ids = tuple(sample.id for sample in plan.split.side(side))
        found = Predictions(
            ids, learned.probabilities[side], plan.info.classes, checkpoint_id, plan.split.id
        )
        draft.write(file, found.to_bytes())


def _different(composites: Composites | None, shown: Exposure) -> int:
    """Count the composites at hand; online each one shown is another."""
    if isinstance(composites, OnlineComposites):
        return int(shown.synthetic.sum())
    return len(composites.images) if composites is not None else 0


def _last(plan: Plan) -> str:
    return "running mean" if plan.settings.ema else "last"


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
        "weights_kept": "best on validation" if plan.settings.keep == "best" else _last(plan),
        "steps_counted": fitted.counted,
        "last_loss": round(float(fitted.losses[-20:].mean()), 4),
        "device": str(accelerator.device),
        "processes": accelerator.num_processes,
        "precision": "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        "threads": torch.get_num_threads(),
        "seconds": round(fitted.seconds, 1),
        "images_per_second": round(images_seen / fitted.seconds, 1),
        "libraries": {"torch": torch.__version__, "timm": timm.__version__},
    }
