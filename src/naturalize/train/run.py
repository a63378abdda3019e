"""One training from a split to a run: weights, loss curve and predictions."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Sequence
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
from naturalize.train.cbam import Merge, Spatial
from naturalize.train.fit import Fitted, Keep, Mode, Watch, start_accelerator, unwatched
from naturalize.train.learn import Circumstances, Learned, learn
from naturalize.train.memory import shortage_told
from naturalize.train.open_feed import decode, open_feed
from naturalize.train.pack import Pack
from naturalize.train.plan import Composites, Plan, make_plan
from naturalize.train.plan_model import Choice
from naturalize.train.schedule import one_cycle
from naturalize.train.trained_model import (
    INFO,
    WEIGHTS,
    build_network,
    join,
    load_model,
    model_bytes,
)

METRICS = "metrics.csv"
PREDICTIONS: dict[Side, str] = {"val": "val.npz", "test": "test.npz"}
BUDGET_IMAGES = 40_000
VALIDATIONS = 5
COLUMNS = ["step", "images", "loss", "learning_rate", "val_loss", "val_accuracy", "val_macro_f1"]
_SCRATCH = "checkpoint"

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
    branches: Sequence[Artefact] = (),
    merge: Merge = "concat",
    spatial: Spatial = "cbam",
    budget_images: int = BUDGET_IMAGES,
    batch_size: int = 64,
    learning_rate: float | None = None,
    layer_decay: float = 1.0,
    ema: float = 0.0,
    keep: Keep = "last",
    validations: int = VALIDATIONS,
    input_px: int | None = None,
    crop_px: int | None = 256,
    seed: int = 0,
    device: str | None = None,
    workers: int = 1,
    checkpoint_every: int | None = None,
    features: Path | None = None,
    if_exists: IfExists = "refuse",
    watch: Watch = unwatched,
    track: Track = quiet,
) -> Artefact:
    """Train ``model`` on the train side of ``split`` and predict the other two; a ``run`` artefact.

    ``arm`` is a key of :data:`~naturalize.train.arms.ARMS`; ``composites`` are for arms with a
    synthetic share, a folder of them or made as training goes, in ``workers`` processes; their
    donors are proven train images before one is read. The budget counts images shown, rounded up to
    whole batches, and is spent whatever the loss does; each arm shows each class equally often.
    With a ``pack`` of the same split and composites, pixels come from it and the image files are
    not needed. ``model`` ``cbam`` is a head over two networks: those of the runs ``branches``, of
    the same split, or new ones; see :class:`~naturalize.train.cbam.Cbam`. ``weights`` as in
    :func:`~naturalize.train.weight_sources.resolve_weights`; ``learning_rate``, ``input_px`` None:
    those of the mode and the backbone; ``crop_px`` as in
    :func:`~naturalize.train.pixels.fit_square`; ``device`` as in
    :func:`~naturalize.train.fit.start_accelerator`; ``checkpoint_every`` steps, None: 30 seconds.
    ``layer_decay``, ``ema``, ``keep`` and ``validations`` as in
    :class:`~naturalize.train.fit.FitSettings`; ``features`` is a folder where a ``transfer`` keeps
    what the frozen base sees, for the next head; ``watch`` hears how training goes.

    The folder holds ``model.safetensors``, ``model.json``, ``metrics.csv``, ``val.npz`` and
    ``test.npz``. On the CPU of one machine, with one number of threads, a repeated or resumed run
    has the same id. Raises :class:`InputError`, :class:`~naturalize.errors.LeakError`, and
    :class:`~naturalize.errors.NaturalizeError` where training diverges.
    """
    plan = make_plan(
        split,
        composites,
        arm=arm,
        choice=Choice(model, weights, input_px, crop_px, tuple(branches), merge, spatial),
        mode=mode,
        budget_images=budget_images,
        batch_size=batch_size,
        learning_rate=learning_rate,
        layer_decay=layer_decay,
        ema=ema,
        keep=keep,
        validations=validations,
        seed=seed,
    )
    if workers < 1:
        raise InputError("workers", "at least 1", workers)
    inputs = _inputs(split, composites, pack)
    inputs |= {f"branch-{number}": run for number, run in enumerate(branches)}
    packed = None
    if pack is not None:
        packed = Pack.load(pack, split, inputs.get("composites"), crop_px)

    def write(draft: Draft) -> None:
        how = Circumstances(
            start_accelerator(device),
            draft.path / _SCRATCH,
            checkpoint_every=checkpoint_every,
            features=features,
            watch=watch,
            track=track,
        )
        size, side = plan.batches.batch_size, plan.info.input_px
        with shortage_told(batch_size=size, input_px=side, device=str(how.accelerator.device)):
            _write(draft, plan, packed, workers, how)

    request = Request("run", plan.parameters(), inputs, seed)
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


def _write(draft: Draft, plan: Plan, pack: Pack | None, workers: int, how: Circumstances) -> None:
    """Train and predict. What may be wrong comes first: weights, then every image is decoded."""
    device, track = how.accelerator.device, how.track
    if how.accelerator.num_processes > 1:
        raise InputError("processes", "one to write a run", how.accelerator.num_processes)
    network = _network(plan)
    log.info("%s starts from weights: %s", plan.info.backbone, plan.info.weights)
    feed = open_feed(plan, pack, device=device, workers=workers, track=track)
    held_back: dict[Side, Tensor] = {side: decode(plan, pack, side, track) for side in PREDICTIONS}
    learned = learn(plan, network, feed, held_back, how)
    draft.summary.update(_summary(plan, learned.fitted, how.accelerator))
    draft.write(WEIGHTS, model_bytes(network))
    draft.write(INFO, plan.info.model_dump_json(indent=2) + "\n")
    draft.write(METRICS, _metrics(plan, learned.fitted))
    _write_predictions(draft, plan, learned)
    shutil.rmtree(how.scratch)


def _network(plan: Plan) -> nn.Module:
    """Build the network with the weights it starts from."""
    seed = child_seed(plan.settings.seed, "weights")
    if plan.choice.branches:
        return join([load_model(run)[0] for run in plan.choice.branches], plan.info, seed=seed)
    return build_network(plan.info, weights=plan.choice.weights, seed=seed)


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
        "precision": "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        "threads": torch.get_num_threads(),
        "seconds": round(fitted.seconds, 1),
        "images_per_second": round(images_seen / fitted.seconds, 1),
        "libraries": {"torch": torch.__version__, "timm": timm.__version__},
    }
